"""`check`: tries a site's credentials and reads a little of everything; nothing is saved."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bascule.cli.exit_codes import Exit
from bascule.cli.identity import acting_hub
from bascule.cli.prompts import AllowHttp, CaBundle, Key, Secret, Url, ask_for_missing
from bascule.cli.terminal import AsJson, document, err, escape, out, show, table

if TYPE_CHECKING:
    from bascule.connections.check_report import CheckReport
    from bascule.frappe import Site


async def check(
    connection: Annotated[
        str | None,
        typer.Argument(metavar="[CONNECTION]", help="A saved connection, instead of --url."),
    ] = None,
    url: Url = None,
    key: Key = None,
    secret: Secret = None,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Only inventory, orders, suppliers, ... or one DocType."),
    ] = None,
    mock: Annotated[
        bool, typer.Option("--mock", help="Try it against a sandbox that is started for it.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the SQL that the site runs for it.")
    ] = False,
    allow_http: AllowHttp = False,
    ca_bundle: CaBundle = None,
    as_json: AsJson = False,
) -> int:
    """Try a site's credentials and read a little of everything, without saving any of it.

    Of a saved connection it reads what is mirrored, else everything that comes ready made. Exits
    with 3 when the site refuses, is not reached, or keeps something back that is wanted.
    """
    from bascule.connections.schemas import CheckAnswer
    from bascule.frappe.executed_sql import ExecutedSQL, collect_sql
    from bascule.sites.check import NEEDS, check_site

    executed: list[ExecutedSQL] = []
    async with AsyncExitStack() as closing:
        if debug:
            closing.enter_context(collect_sql(executed.append))
        wanted, warehouses = list(NEEDS), list[str]()
        if connection is not None:
            saved = await closing.enter_async_context(_saved_site(connection))
            site, wanted, warehouses = saved
        else:
            if mock:
                url, key, secret = await closing.enter_async_context(_mock_site())
            url, key, secret = ask_for_missing(url, key, secret)
            site = await closing.enter_async_context(
                _site(url, key, secret, allow_http=allow_http, ca_bundle=ca_bundle)
            )
        report = await check_site(site, _named(only) or wanted, warehouses=warehouses)
        readable = [doctype for doctype, yes in report.readable.items() if yes]
        samples = [await _sample(site, doctype) for doctype in readable]
    if as_json:
        document(
            {
                **CheckAnswer.of(report).model_dump(mode="json"),
                "samples": [asdict(one) for one in samples],
                **({"executed": [one._asdict() for one in executed]} if debug else {}),
            }
        )
    else:
        tell_report(report)
        _tell_samples(samples, report.missing)
        for one in executed:
            took = "" if one.seconds is None else f" [dim]{one.seconds * 1000:.0f} ms[/]"
            out.print(f"{escape(one.sql)}{took}", soft_wrap=True)
        if debug and not executed:
            out.print("The site tells of no SQL.", style="dim")
    return Exit.DONE if report.ok else Exit.SITE


@dataclass(frozen=True, slots=True)
class Sample:
    """What reading a DocType gave: all of its documents counted, the newest one fetched."""

    doctype: str
    count: int
    fields: int
    newest: str | None
    seconds: float


async def _sample(site: "Site", doctype: str) -> Sample:
    began = time.perf_counter()
    count = await site.count(doctype)
    newest = await site.list(doctype, fields=("name",), order_by="modified desc", limit=1)
    name = str(newest[0]["name"]) if newest else None
    fields = len(await site.document(doctype, name)) if name is not None else 0
    return Sample(doctype, count, fields, name, round(time.perf_counter() - began, 4))


def _named(only: list[str] | None) -> list[str]:
    """Presets however they are written; whatever is none is taken for a DocType."""
    from bascule.sites.check import NEEDS

    plain = {name: name.strip().lower().replace("-", "_").replace(" ", "_") for name in only or []}
    return [known if known in NEEDS else name for name, known in plain.items()]


def _tell_samples(samples: list[Sample], missing: list[str]) -> None:
    numbers = ("Documents", "Fields", "Time")
    made = table("", "DocType", "Documents", "Fields", "Newest", "Time", numbers=numbers)
    for one in samples:
        made.add_row(
            "[green]✓[/]",
            escape(one.doctype),
            f"{one.count:,}",
            f"{one.fields}",
            escape(one.newest or "none"),
            f"{one.seconds * 1000:.0f} ms",
        )
    for doctype in missing:
        made.add_row("[red]✗[/]", escape(doctype), "", "", "cannot be read", "")
    if made.row_count:
        show(made)


def tell_report(report: "CheckReport") -> None:
    if report.user is not None:
        versions = ", ".join(f"{app} {number}" for app, number in report.versions.items())
        facts = ", ".join(escape(each) for each in (versions, report.time_zone or "") if each)
        out.print(f"[green]✓[/] Signed in as [bold]{escape(report.user)}[/] ({facts})")
    for problem in report.problems:
        err.print(f"[red]✗[/] {escape(problem.what)}")
        err.print(f"  → {escape(problem.next_step)}")
    for note in report.notes:
        err.print(f"[yellow]![/] {escape(note.what)}", f"  {escape(note.next_step)}", sep="\n")


def _site(url: str, key: str, secret: str, *, allow_http: bool, ca_bundle: str | None) -> "Site":
    from bascule.frappe import Site
    from bascule.settings import get_settings
    from bascule.sites.fields import checked

    settings = get_settings()
    plain = allow_http or settings.allow_http
    given = {"api_url": url, "api_key": key, "api_secret": secret, "ca_bundle": ca_bundle}
    clean = checked(given, allow_http=plain, may_connect=settings.may_connect)
    bundle = clean["ca_bundle"] or settings.ca_bundle
    return Site(
        clean["api_url"],
        clean["api_key"],
        clean["api_secret"],
        allow_http=plain,
        ca_bundle=Path(bundle) if bundle else None,
        may_connect=settings.may_connect,
    )


@asynccontextmanager
async def _saved_site(connection: str) -> AsyncIterator[tuple["Site", list[str], list[str]]]:
    """The site, and which DocTypes and warehouses are mirrored of it."""
    from bascule.connections.queries import find_connection
    from bascule.sites.check import wanted_by
    from bascule.sites.pool import open_site

    async with acting_hub() as (hub, viewer):
        async with hub.db.session() as session:
            found = await find_connection(session, connection, viewer)
            mirrored = await wanted_by(session, found)
            session.expunge_all()
        async with open_site(hub, found) as site:
            yield site, mirrored, found.warehouse_filter


@asynccontextmanager
async def _mock_site() -> AsyncIterator[tuple[str, str, str]]:
    from bascule.sandbox import Sandbox
    from bascule.sandbox.company import demo_company

    async with Sandbox(demo_company()).serve() as running:
        yield running.url, running.api_key, running.api_secret

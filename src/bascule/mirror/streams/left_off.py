"""DocTypes that were wanted of a connection and left off, because its user may not read them: told
once, no failure, and tried again when somebody asks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import select

from bascule.accounts.tables import User
from bascule.connections.check_report import CheckReport
from bascule.connections.tables import Connection
from bascule.errors import NoSuch
from bascule.frappe import NoPermission, NotFound
from bascule.hub import Hub
from bascule.mirror.runs.start import start_runs
from bascule.mirror.streams.settings import add_streams
from bascule.sites.pool import open_site
from bascule.sites.roles import step_to_read


@dataclass
class TriedAgain:
    """DocTypes that are streams now, those that are still left off, and the runs that began."""

    added: list[str] = field(default_factory=list)
    left_off: list[str] = field(default_factory=list)
    run_ids: list[int] = field(default_factory=list)

    @property
    def said(self) -> str:
        if not self.added:
            return f"Still left off: {', '.join(self.left_off)}."
        more = f" Still left off: {', '.join(self.left_off)}." if self.left_off else ""
        return f"Started pulling {', '.join(self.added)}.{more}"


def unreadable(report: CheckReport | None) -> list[str]:
    """Those that the user has not the rights to read."""
    return [p.doctype for p in report.problems if p.doctype and p.lacks_rights] if report else []


def without_left_off(report: CheckReport) -> CheckReport:
    """The report without the problems that are told as what was left off."""
    return replace(report, problems=[p for p in report.problems if not p.lacks_rights])


def told(report: CheckReport, left_off: Sequence[str]) -> tuple[str, str]:
    """What was left off at the start, and the next step."""
    roles = {p.doctype: p.roles for p in report.problems if p.doctype in left_off and p.doctype}
    them = "it" if len(left_off) == 1 else "them"
    what = f"Left off, because {report.user} may not read {them}: {', '.join(left_off)}."
    return what, f"The rest comes. {step_to_read(roles)} Then try again."


async def keep_left_off(hub: Hub, connection: Connection, doctypes: Sequence[str]) -> None:
    async with hub.db.session() as session:
        kept = await session.get_one(Connection, connection.id)
        kept.left_off = list(doctypes)


async def try_again(
    hub: Hub, connection: Connection, *, by: User | None, trigger: str
) -> TriedAgain:
    """Streams for those that may be read by now, and their first pull. NoSuch: none was left off.
    FrappeError: the site does not answer.
    """
    async with hub.db.session() as session:
        query = select(Connection.left_off).where(Connection.id == connection.id)
        wanted = list(await session.scalar(query) or [])
    if not wanted:
        raise NoSuch(
            f"Nothing was left off {connection.slug}.",
            next_step="Add what else is wanted: 'bascule streams add', or the page Add a stream.",
        )
    readable = []
    async with open_site(hub, connection) as site:
        for doctype in wanted:
            try:
                await site.list(doctype, limit=1)
            except (NoPermission, NotFound):
                continue
            readable.append(doctype)
    if not readable:
        return TriedAgain(left_off=wanted)
    added = [stream.doctype for stream in await add_streams(hub, connection, readable, by=by)]
    run_ids = await start_runs(hub, connection, names=added, trigger=trigger, by=by)
    return TriedAgain(added, [one for one in wanted if one not in readable], run_ids)

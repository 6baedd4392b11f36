"""A form's test: address and credentials are tried before anything is saved.

The site is asked about every preset, so that a person sees what there is to choose from. Only what
is wanted counts as missing.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from bascule.accounts.allowed_sites.allowlist import reach_of, refuse_inside
from bascule.accounts.tables import User
from bascule.connections.check_report import CheckReport
from bascule.connections.tables import Connection
from bascule.hub import Hub
from bascule.sites.check import NEEDS, check_site
from bascule.sites.choices import found_doctypes, found_warehouses, full_name_of
from bascule.sites.fields import NewConnection
from bascule.sites.pool import unpooled_site
from bascule.sites.roles import fewest_roles
from bascule.sites.service import proposed, unsaved

LISTING = 10.0  # seconds


@dataclass(frozen=True)
class Part:
    """One DocType of a group: what it is for, and whether it may be read."""

    doctype: str
    purpose: str
    readable: bool


@dataclass(frozen=True)
class Group:
    """A preset, or a DocType by itself. `readable`: all of it."""

    name: str
    wanted: bool
    parts: list[Part]

    @property
    def readable(self) -> bool:
        return all(part.readable for part in self.parts)


@dataclass
class Trial:
    """`warehouses`, `doctypes`: the site's own; None where this user may not list them."""

    report: CheckReport
    groups: list[Group] = field(default_factory=list)
    full_name: str | None = None
    warehouses: list[str] | None = None
    doctypes: list[str] | None = None


async def try_out(hub: Hub, new: NewConnection, wanted: Sequence[str], *, by: User | None) -> Trial:
    """`wanted`: presets and DocTypes. Invalid where a field cannot be taken; what the site says is
    in the report.
    """
    connection = unsaved(hub, new)
    await refuse_inside(hub, connection.api_url, by, field="api_url")
    return await _try(hub, connection, wanted, by)


async def try_changed(
    hub: Hub,
    connection: Connection,
    changes: dict[str, Any],
    wanted: Sequence[str],
    *,
    by: User | None,
) -> Trial:
    """The same of a saved connection as these changes would make it: its own credentials go only
    to its own address. Forbidden, too, where `by` may not make them.
    """
    changed, _ = await proposed(hub, connection, changes, by=by)
    return await _try(hub, changed, wanted, by)


async def _try(hub: Hub, connection: Connection, wanted: Sequence[str], by: User | None) -> Trial:
    reach = await reach_of(hub, connection.api_url, by, trial=True)
    async with unpooled_site(hub, connection, reach) as site:
        named = connection.warehouse_filter if {"inventory", "Bin"} & set(wanted) else []
        report = await check_site(
            site, list(dict.fromkeys([*wanted, *NEEDS])), warehouses=named or ()
        )
        if report.health != "ok":
            return Trial(report)
        trial = Trial(_only(report, wanted), groups_of(report, wanted))
        # What is only there to choose from is not long waited for.
        with suppress(TimeoutError):
            async with asyncio.timeout(LISTING):
                trial.full_name = await full_name_of(site, report.user or "")
                trial.warehouses = await found_warehouses(site)
                trial.doctypes = await found_doctypes(site)
        return trial


def groups_of(report: CheckReport, wanted: Sequence[str]) -> list[Group]:
    """What was asked about, group by group: the presets first, then what was named beside them."""
    others = {name: {name: f"{name} documents"} for name in wanted if name not in NEEDS}
    return [
        Group(
            name,
            name in wanted,
            [
                Part(doctype, purpose, report.readable[doctype])
                for doctype, purpose in parts.items()
                if doctype in report.readable
            ],
        )
        for name, parts in (NEEDS | others).items()
    ]


def helping_roles(report: CheckReport) -> dict[str, list[str]]:
    """Few roles that together read all that is missing, each with what it adds."""
    return fewest_roles({p.doctype: p.roles for p in report.problems if p.doctype})


def _only(report: CheckReport, wanted: Sequence[str]) -> CheckReport:
    """The report on what is wanted."""
    doctypes = {doctype for name in wanted for doctype in NEEDS.get(name, {name: ""})}
    return replace(
        report,
        readable={name: yes for name, yes in report.readable.items() if name in doctypes},
        missing=[name for name in report.missing if name in doctypes],
        problems=[p for p in report.problems if p.doctype is None or p.doctype in doctypes],
    )

"""Asks a site who we are there and what we may read of what is wanted, in few requests.

It answers in words with next steps and never raises for what a site said; `record_check` saves it.
"""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from typing import TypeVar

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.connections.check_report import CheckReport, Problem
from bascule.connections.tables import Connection
from bascule.frappe import (
    DocType,
    FrappeError,
    NoPermission,
    NotAFrappeSite,
    NotFound,
    Site,
    Timeout,
    TLSFailure,
    Unavailable,
    WrongCredentials,
    listed_name,
)
from bascule.sites.roles import step_to_read
from bascule.sites.warehouses import without_stock
from bascule.sites.withheld_fields import masked_in_children, withheld_of

T = TypeVar("T")

# What each preset reads, and what is not there without it.
NEEDS: dict[str, dict[str, str]] = {
    "inventory": {
        "Item": "items and their reorder levels",
        "Bin": "stock per warehouse",
        "Item Price": "unit prices",
        "Warehouse": "groups of warehouses in reorder levels",
    },
    "orders": {"Sales Order": "sales orders and their items"},
    "suppliers": {"Supplier": "suppliers"},
    "customers": {
        "Customer": "customers",
        "Address": "customers' addresses",
        "Contact": "customers' contacts",
    },
    "purchase_orders": {"Purchase Order": "purchase orders and their items"},
    "stock_movements": {
        "Stock Ledger Entry": "stock movements",
        "Stock Entry": "transfers, receipts and issues",
    },
}
PURPOSES = {doctype: purpose for needs in NEEDS.values() for doctype, purpose in needs.items()}
# Answers that are about the site or the user, whatever DocType was asked for.
CONCERNS_ALL = (WrongCredentials, Unavailable, Timeout, TLSFailure, NotAFrappeSite)
# Seconds: less than a browser, or a proxy in between, waits for all of an answer of ours.
FIRST_ANSWER, PATIENCE = 20.0, 45.0
MOST_DOCTYPES = 50  # asked about in one check: one small request each


async def wanted_by(session: AsyncSession, connection: Connection) -> list[str]:
    """What a connection mirrors: the DocTypes of its streams that are on; as long as it has no
    streams, the presets that are switched on, and those without a switch.
    """
    streams = await session.execute(
        text("SELECT doctype, enabled FROM bascule.streams WHERE connection_id = :id ORDER BY id"),
        {"id": connection.id},
    )
    if there := streams.all():
        return [doctype for doctype, enabled in there if enabled]
    switches = {
        "inventory": connection.sync_inventory,
        "orders": connection.sync_orders,
        "suppliers": connection.sync_suppliers,
    }
    return [name for name in NEEDS if switches.get(name, True)]


async def check_site(
    site: Site, wanted: Sequence[str], *, warehouses: Sequence[str] = ()
) -> CheckReport:
    """`wanted`: DocTypes, or presets that stand for theirs; `warehouses`: the only ones whose stock
    is. 5 requests, one for the warehouses, two or three a DocType, and from version 16 on one a
    child DocType, which may be masked; what has not come after
    `PATIENCE` is not waited for: somebody is.
    """
    purposes: dict[str, str] = {}
    for name in wanted:
        purposes |= NEEDS.get(name) or {name: PURPOSES.get(name, f"{name} documents")}
    report = CheckReport()
    try:
        async with asyncio.timeout(PATIENCE):
            async with asyncio.timeout(FIRST_ANSWER):
                report.user = await site.logged_user()
            asked = list(purposes)[:MOST_DOCTYPES]
            report.versions, report.time_zone, found = await asyncio.gather(
                _unless_refused(site.versions(), {}),
                _unless_refused(site.time_zone(), None),
                asyncio.gather(*(_read_one(site, doctype) for doctype in asked)),
            )
            for doctype, error in zip(asked, found, strict=True):
                report.readable[doctype] = error is None
                if error is not None:
                    report.missing.append(doctype)
                    report.problems.append(_missing(doctype, purposes[doctype], error))
            if "Bin" in report.readable:
                unknown = await without_stock(site, warehouses)
                report.problems += [Problem(what, step) for what, step in unknown]
            readable = [doctype for doctype, may in report.readable.items() if may]
            metas = await _definitions(site, readable)
            report.notes = [
                *await _limits(site, report, metas),
                *await _withheld(site, report, [meta for meta in metas.values() if meta]),
            ]
    except FrappeError as error:
        report.health = "refused" if isinstance(error, WrongCredentials | NoPermission) else "down"
        report.problems.append(Problem(str(error), error.next_step))
    except TimeoutError:
        report.health = "down"
        report.problems.insert(
            0,
            Problem(
                "The site did not answer in time.",
                "Check the address, and that no firewall stands between; a site that is only slow "
                "can be tried again.",
            ),
        )
    return report


def told_together(report: CheckReport) -> list[Problem]:
    """The problems, those of one cause as one: DocTypes that the user may not read for want of
    roles.
    """
    lacking = {p.doctype: p for p in report.problems if p.doctype and p.lacks_rights}
    if len(lacking) < 2:
        return report.problems
    step = step_to_read({doctype: one.roles for doctype, one in lacking.items()})
    what = f"{report.user} may not read {len(lacking)} of the DocTypes: {', '.join(lacking)}."
    others = [p for p in report.problems if p.doctype not in lacking]
    return [*others, Problem(what, step)]


async def _read_one(site: Site, doctype: str) -> FrappeError | None:
    """None when its documents can be listed; else the answer that concerns this DocType alone."""
    try:
        if doctype in PURPOSES or doctype == "Deleted Document":
            await site.list(doctype, fields=("name",), limit=1)
        else:
            await listed_name(site, doctype)
    except CONCERNS_ALL:
        raise
    except FrappeError as error:
        return error
    return None


async def _definitions(site: Site, doctypes: Sequence[str]) -> dict[str, DocType | None]:
    """None for those that this user is refused by every route: their columns are inferred. Without
    those of which the site says something else.
    """
    found: dict[str, DocType | None] = {}

    async def ask(doctype: str) -> None:
        try:
            found[doctype] = await site.meta(doctype)
        except NoPermission:
            found[doctype] = None
        except CONCERNS_ALL:
            raise
        except FrappeError:
            return

    await asyncio.gather(*map(ask, doctypes))
    return found


async def _unless_refused(asking: Awaitable[T], otherwise: T) -> T:
    """Some sites keep versions or the time zone from some users; nothing wanted hangs on them."""
    try:
        return await asking
    except (NoPermission, NotFound):
        return otherwise


def _missing(doctype: str, purpose: str, error: FrappeError) -> Problem:
    if isinstance(error, NoPermission):
        what = f"{doctype} may not be read, so there are no {purpose}."
        return Problem(what, error.next_step, doctype, error.roles, lacks_rights=True)
    if isinstance(error, NotFound):
        return Problem(
            f"The site has no DocType {doctype}, so there are no {purpose}.",
            "Check that ERPNext is installed on this site, or leave this part out."
            if any(doctype in parts for parts in NEEDS.values())
            else "Check how the site writes it, or leave it out.",
            doctype,
        )
    return Problem(f"{doctype} could not be read: {error}", error.next_step, doctype)


async def _withheld(site: Site, report: CheckReport, metas: Sequence[DocType]) -> list[Problem]:
    found = await asyncio.gather(*(withheld_of(site, meta) for meta in metas))
    own = {meta.name: fields for meta, fields in zip(metas, found, strict=True)}
    return [
        Problem(
            f"{doctype}.{field} is withheld from {report.user}, and stays as it is here.",
            f"Nothing has to be done; it comes when the user gets {needs}.",
            doctype,
        )
        for doctype, fields in (own | await masked_in_children(site, metas)).items()
        for field, needs in fields.items()
    ]


async def _limits(
    site: Site, report: CheckReport, metas: Mapping[str, DocType | None]
) -> list[Problem]:
    """What a user of few roles cannot have, and what the mirror does about it."""
    notes = []
    if metas:
        if untold := [doctype for doctype, meta in metas.items() if meta is None]:
            notes.append(
                Problem(
                    f"{report.user} may not read what these DocTypes are made of, so their "
                    f"columns are inferred from their documents: {', '.join(untold)}.",
                    "Nothing has to be done; any desk role gives columns exact types.",
                )
            )
        if await _read_one(site, "Deleted Document") is not None:
            notes.append(
                Problem(
                    f"{report.user} may not read Deleted Document, so deletions are found by the "
                    "sweep.",
                    "Nothing has to be done; a role that reads it makes deletions arrive sooner.",
                )
            )
    return notes

"""After each thing done in an ordinary week, and one sync: every value here is the site's.

`pytest tests/week -s` with BASCULE_WEEK_SITE and BASCULE_WEEK_RUN (see `the_site`) does the same to
a real site, and prints what differed after each sync.
"""

from collections import Counter
from collections.abc import Iterator

import pytest

from bascule.connections.tables import Connection
from bascule.hub import Hub
from bascule.job_modules import JOB_MODULES
from bascule.jobs import load
from bascule.mirror.pull.survey import survey
from bascule.mirror.runs.execution import carry_out, run_of
from bascule.mirror.runs.start import start_runs
from bascule.mirror.setup import set_up
from bascule.mirror.streams.settings import streams_of
from bascule.mirror.tables import Run
from bascule.sandbox.server import SandboxThread
from bascule.sites.fields import NewConnection
from tests.week.comparing import differing
from tests.week.operations import OPERATIONS, Operation, prepared
from tests.week.small_company import small_company
from tests.week.the_site import REAL, WeekSite

DOCTYPES = [
    *("Account", "Address", "Bin", "BOM", "Brand", "Contact", "Cost Center", "Customer"),
    *("Customer Group", "Delivery Note", "GL Entry", "Item", "Item Group", "Item Price"),
    *("Payment Entry", "Purchase Order", "Purchase Receipt", "Quotation", "Sales Invoice"),
    *("Sales Order", "Serial No", "Stock Entry", "Stock Ledger Entry", "Supplier", "Task"),
    *("Territory", "Warehouse"),
]


@pytest.fixture
def site() -> Iterator[WeekSite]:
    if REAL:
        yield WeekSite.from_settings()
        return
    with SandboxThread(small_company()) as running:
        admin = running.users["admin"]
        yield WeekSite(running.url, admin.api_key, admin.api_secret)


async def carried_out(hub: Hub, connection: Connection, kind: str) -> dict[str, Run]:
    """One run of that kind for each stream, by its DocType."""
    async with hub.db.session() as session:
        names = {one.id: one.doctype for one in await streams_of(session, connection)}
    done = {}
    run_ids = await start_runs(hub, connection, names=None, kind=kind, trigger="cli")
    if kind == "sync":
        await survey(hub, connection.id, run_ids)  # as a worker; what it leaves is carried out
    for run_id in run_ids:
        await carry_out(hub, run_id)
        async with hub.db.session() as session:
            run = await run_of(session, run_id, None)
        assert run.outcome == "done", (names[run.stream_id], run.error)
        done[names[run.stream_id]] = run
    return done


def days(site: WeekSite) -> list[list[Operation]]:
    """What is done before each sync."""
    mine = [one for one in OPERATIONS if site.is_sandbox or not one.sandbox_only]
    numbers = sorted({one.day for one in mine})
    return [[one for one in mine if one.day == number] for number in numbers]


@pytest.mark.heavy
async def test_after_each_thing_done_and_a_sync_no_value_differs(hub: Hub, site: WeekSite) -> None:
    load(JOB_MODULES)
    memo = prepared(site)
    new = NewConnection(
        name="Week",
        api_url=site.url,
        api_key=site.key,
        api_secret=site.secret,
        lookback_days=3650,
        include_disabled=True,
    )
    connection, _, _ = await set_up(hub, new, by=None, streams=DOCTYPES, start=False, trigger="cli")
    await carried_out(hub, connection, "sync")
    found, values = await differing(hub, connection.slug, site, DOCTYPES)
    assert not found
    print(f"{len(DOCTYPES)} DocTypes: {values} values are equal")
    left: dict[str, Counter[str]] = {}
    for operations in days(site):
        names = ", ".join(operation.name for operation in operations)
        for operation in operations:
            operation.act(site, memo)
        await carried_out(hub, connection, "sync")
        found, values = await differing(hub, connection.slug, site, DOCTYPES)
        proofs = await carried_out(hub, connection, "verify")
        after = (await differing(hub, connection.slug, site, DOCTYPES))[0] if found else found
        unequal = {one.partition(".")[0].partition(" (")[0] for one in after}
        wrong = {name for name, run in proofs.items() if run.report["equal"]} & unequal
        equal = sum(bool(run.report["equal"]) for run in proofs.values())
        print(
            f"{names}: {sum(found.values())} of {values} values differ after a sync {dict(found)};"
            f" {equal} of {len(proofs)} proofs say equal, wrongly of {sorted(wrong)}"
        )
        assert not wrong, (names, wrong, after)
        if found:
            left[names] = found
    assert not left

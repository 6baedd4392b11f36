"""Documents of a megabyte each take little more memory than small ones: pages are of bytes."""

import asyncio
from collections.abc import Callable
from typing import Any

from bascule.mirror.runs.start import start_runs
from bascule.mirror.streams.settings import add_streams
from tests.mirror.following import look
from tests.mirror.odd import by_sql, document, make_doctype
from tests.mirror.test_pulls_under_fire import ATTEMPT, environment

LINES, MANY = 200_000, 16


async def peak_of(mirror: Any, doctype: str, kind: str) -> int:
    """The most memory that a run had in a process of its own, in MB."""
    [run_id] = await start_runs(
        mirror.hub, mirror.connection, names=[doctype], kind=kind, trigger="cli"
    )
    process = await asyncio.create_subprocess_exec(
        *ATTEMPT, str(run_id), env=environment(mirror.hub), stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    run = await look(mirror, run_id)
    assert run.outcome == "done", run.error
    return int(said.split()[-1]) // 1000


async def test_documents_of_a_megabyte_each_take_little_more_memory_than_small_ones(
    mirrored: Callable[..., Any],
) -> None:
    """At the first load, whose first page nobody knows the size of, and at the proof."""
    mirror = await mirrored()
    for name in ("Slip", "Tome"):
        await make_doctype(mirror, name, [("body", "Long Text")])
        await document(mirror, name, body="small")
    await add_streams(mirror.hub, mirror.connection, ["Slip", "Tome"])
    small = await peak_of(mirror, "Slip", "sync")
    for number in range(MANY):
        # Some with what keeps escapes from being replaced at one go.
        begin = "C:\\temp\n" if number % 8 == 0 else "aé世\n"
        by_sql(
            mirror,
            "INSERT INTO `tabTome` (name, creation, modified, owner, modified_by, docstatus, idx,"
            " body) SELECT ?, creation, modified, owner, modified_by, 0, 0, ? FROM `tabTome`"
            " WHERE body = 'small'",
            f"m{number:04}",
            begin + "line\n" * LINES,
        )
    for kind in ("sync", "verify"):
        large = await peak_of(mirror, "Tome", kind)
        assert large < small + 75, (kind, small, large)
    kept = await mirror.rows("tome", "body", where="length(body) > 1000000")
    assert len(kept) == MANY
    assert {body.partition("\n")[0] for (body,) in kept} == {"C:\\temp", "aé世"}
    assert all(body.endswith("\n" + "line\n" * LINES) for (body,) in kept)

"""What no table of PostgreSQL holds says which fields to leave out, and that advice is enough."""

import random
import shlex
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from bascule.mirror.streams.settings import add_streams, change_stream, find_stream
from tests.mirror.odd import document, done, make_doctype

MONEY = 123456789012.12345


async def refused(mirror: Any, doctype: str, *, fields: int) -> tuple[Any, list[str]]:
    """The run that failed, and what it says to leave out; left out here as it says."""
    await add_streams(mirror.hub, mirror.connection, [doctype])
    async with mirror.hub.db.session() as session:
        stream = await find_stream(session, mirror.connection, doctype)
    await change_stream(mirror.hub, mirror.connection, stream, {"omit": ["f0001"]})
    [run] = await mirror.sync(doctype)
    assert run.outcome == "failed"
    said, command = run.next_step.split(": ")
    assert said.startswith("Leave these fields out")
    *words, named = shlex.split(command)[:4]
    assert (words, named) == (["bascule", "streams", "omit"], doctype)
    omit = shlex.split(command)[4:]
    assert omit[0] == "f0001", "what is left out already stays out"
    assert 1 < len(omit) < fields / 2
    await change_stream(mirror.hub, mirror.connection, stream, {"omit": omit})
    await done(mirror, doctype)
    return run, omit


async def test_what_no_table_holds_says_which_fields_to_leave_out(
    mirrored: Callable[..., Any],
) -> None:
    mirror = await mirrored()
    names = [f"f{number:04}" for number in range(1_700)]

    await make_doctype(mirror, "Broad", [(name, "Data") for name in names])
    run, omit = await refused(mirror, "Broad", fields=len(names))
    assert "1,706 fields" in run.error and "1,600 columns" in run.error
    assert len(omit) == 1_707 + 3 - 1_600

    await make_doctype(mirror, "Ledger", [(name, "Currency") for name in names[:700]])
    await document(mirror, "Ledger", **dict.fromkeys(names[:700], MONEY))
    run, omit = await refused(mirror, "Ledger", fields=700)
    assert "room for 8,160" in run.error and "(13 bytes)" in run.error
    assert len(omit) < 700 - 8_160 // 14  # not many more than there have to be
    assert await mirror.rows("ledger", "f0699") == [(Decimal(str(MONEY)),)]

    # Numbers of eight bytes begin at multiples of them, so each makes its neighbour larger.
    mixed = [(name, ("Currency", "Int")[at % 2]) for at, name in enumerate(names[:760])]
    await make_doctype(mirror, "Mixed", mixed)
    await document(mirror, "Mixed", **{n: (MONEY, 7)[kind == "Int"] for n, kind in mixed})
    run, omit = await refused(mirror, "Mixed", fields=760)
    assert await mirror.rows("mixed", "f0759") == [(7,)]

    # A text beyond 24 bytes leaves a pointer in the row, so the long one is no larger there.
    letters = random.Random(4)
    texts = {name: letters.randbytes(45).hex() for name in names[:500]} | {"f0002": "one\n" * 9_000}
    await make_doctype(mirror, "Notes", [(name, "Small Text") for name in names[:500]])
    await document(mirror, "Notes", **texts)
    run, omit = await refused(mirror, "Notes", fields=500)
    assert omit[1] == "f0002", "the longest first"
    assert await mirror.rows("notes", "f0499") == [(texts["f0499"],)]

"""The two ends of a walk by name meet, and fetch nothing twice where the site counted right."""

import asyncio
import random
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from bascule.frappe import Page, PageSize
from bascule.frappe.walk_limit import WalkLimit
from bascule.mirror.pull import full
from bascule.mirror.pull.cursor import Lane
from bascule.mirror.pull.page_budget import page_budget


class Listed:
    """A site with names alone, which answers when it likes to."""

    def __init__(self, names: list[str], dice: random.Random) -> None:
        self.names, self.dice = names, dice

    async def page(
        self,
        table: Any,
        *,
        descending: bool,
        after: tuple[str] | None,
        before: tuple[str] | None,
        limit: int,
    ) -> Page:
        low, high = (before, after) if descending else (after, before)
        found = [
            name
            for name in self.names
            if (low is None or name > low[0]) and (high is None or name < high[0])
        ]
        found = (found[::-1] if descending else found)[:limit]
        for _turn in range(self.dice.randrange(6)):
            await asyncio.sleep(0)
        ends = [(found[0],), (found[-1],)] if found else [None, None]
        raw = [msgspec.Raw(msgspec.json.encode([name])) for name in found]
        return Page(table.doctype, table.fields, raw, limit, 9 * len(raw), 1.0, ends[0], ends[1])


@pytest.mark.parametrize("off", [0, 7, -7, -400, None])
async def test_the_ends_of_a_walk_meet_whatever_the_site_counted(off: int | None) -> None:
    for seed in range(60):
        dice = random.Random(seed)
        names = [f"N{n:05}" for n in range(dice.choice([0, 1, 49, 50, 51, 300, 997]))]
        counted = None if off is None else max(0, len(names) + off)
        fetched = await asyncio.wait_for(_walked(names, counted, dice), 60)
        assert sorted(set(fetched)) == names
        if off == 0:
            assert len(fetched) == len(names)


async def _walked(names: list[str], counted: int | None, dice: random.Random) -> list[str]:
    attempt: Any = SimpleNamespace(page=Listed(names, dice).page)
    table: Any = SimpleNamespace(child=False, doctype="Item", fields=("name",))

    async def count() -> int:
        return len(names)

    ending = WalkLimit("Item", count, counted=counted)
    walk = full._begin(Lane("Item"), counted, ending)
    size, from_above = PageSize(50, max_rows=50), asyncio.Event()
    fetched: list[str] = []

    async def end(descending: bool) -> None:
        if descending:
            await from_above.wait()
        pages: asyncio.Queue[Page | None] = asyncio.Queue(maxsize=1)
        async with asyncio.TaskGroup() as group:
            group.create_task(
                full._fetch(attempt, table, walk, size, from_above, pages, descending)
            )
            while (page := await pages.get()) is not None:
                fetched.extend(name for [name] in page.rows())
                page_budget().release()

    async with asyncio.TaskGroup() as both:
        both.create_task(end(False))
        both.create_task(end(True))
    return fetched

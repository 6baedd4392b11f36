"""Walking a list that changes under the walk, against a model of what was there throughout."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bascule.frappe import Site
from tests.frappe.stage import KEY, SECRET, Seen, stage

MOMENTS = [f"2026-11-20 22:30:40.00000{n}" for n in range(4)]  # few, so that ties are many
NAMES = [f"{letter}{n}" for letter in "aBcD é'\"" for n in range(5)]


def folded(name: str) -> str:
    """The order of a site's collation, which is not Python's."""
    return name.casefold()


@dataclass
class Table:
    """Rows by name, and the few of Frappe's conditions that a walk uses."""

    rows: dict[str, str]  # name -> modified
    changes: list[list[tuple[str, str, str | None]]] = field(default_factory=list)

    def answer(self, seen: Seen) -> Any:
        query = seen.json
        found = [
            {"name": name, "modified": modified}
            for name, modified in self.rows.items()
            if all(self.holds(c, name, modified) for c in query["filters"])
            and (
                not query["or_filters"]
                or any(self.holds(c, name, modified) for c in query["or_filters"])
            )
        ]
        for part in reversed(query["order_by"].split(", ")):
            column, direction = part.split(" ")
            found.sort(key=lambda row: self.order(column, row), reverse=direction == "desc")
        page = found[: query["limit_page_length"]]
        if self.changes:
            for verb, name, modified in self.changes.pop(0):
                if verb == "delete":
                    self.rows.pop(name, None)
                else:
                    self.rows[name] = str(modified)
        return {"message": [[row[f] for f in query["fields"]] for row in page]}

    @staticmethod
    def order(column: str, row: dict[str, str]) -> str:
        return folded(row["name"]) if column == "name" else row["modified"]

    def holds(self, condition: list[str], name: str, modified: str) -> bool:
        column, operator, value = condition
        here, there = (folded(name), folded(value)) if column == "name" else (modified, value)
        return {
            ">": here > there,
            ">=": here >= there,
            "<": here < there,
            "<=": here <= there,
        }[operator]


tables = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(MOMENTS), max_size=20)
deletions = st.lists(
    st.lists(st.tuples(st.just("delete"), st.sampled_from(NAMES), st.none()), max_size=4),
    max_size=8,
)
insertions = st.lists(
    st.lists(
        st.tuples(st.just("insert"), st.sampled_from(NAMES), st.sampled_from(MOMENTS)), max_size=4
    ),
    max_size=8,
)
by_hypothesis = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


async def walk(url: str, key: Any, limit: int, *, descending: bool) -> list[str]:
    names: list[str] = []
    async with Site(url, KEY, SECRET) as site:
        after = None
        while True:
            page = await site.page(
                "Item",
                ["modified", "name"],
                key=key,
                after=after,
                limit=limit,
                descending=descending,
            )
            names += [row[1] for row in page.rows()]
            if not page.full:
                return names
            after = page.last


@by_hypothesis
@given(
    rows=tables,
    gone=deletions,
    come=insertions,
    limit=st.integers(1, 7),
    key=st.sampled_from(["name", "modified"]),
    descending=st.booleans(),
)
async def test_no_row_that_was_there_throughout_is_missed_or_doubled(
    rows: dict[str, str],
    gone: list[Any],
    come: list[Any],
    limit: int,
    key: str,
    descending: bool,
) -> None:
    # An insert never takes a name that was there: that would be an update, and a move.
    changes = [
        (gone[i] if i < len(gone) else [])
        + [c for c in (come[i] if i < len(come) else []) if c[1] not in rows]
        for i in range(max(len(gone), len(come)))
    ]
    deleted = {name for step in changes for verb, name, _ in step if verb == "delete"}
    throughout = [name for name in rows if name not in deleted]
    async with stage(Table(dict(rows), changes).answer) as site:
        seen = await walk(site.url, key, limit, descending=descending)
    assert set(throughout) <= set(seen)
    for name in throughout:
        assert seen.count(name) == 1


@by_hypothesis
@given(rows=tables, limit=st.integers(1, 5), turns=st.lists(st.booleans(), max_size=30))
async def test_two_ends_that_walk_towards_each_other_meet_and_see_all_once(
    rows: dict[str, str], limit: int, turns: list[bool]
) -> None:
    low = high = None
    names: list[str] = []
    async with stage(Table(dict(rows)).answer) as there, there.site() as site:
        for descending in [*turns, *[False] * (len(rows) + 1)]:
            page = await site.page(
                "Item",
                ["name"],
                after=high if descending else low,
                before=low if descending else high,
                descending=descending,
                limit=limit,
            )
            names += [row[0] for row in page.rows()]
            if descending:
                high = page.last or high
            else:
                low = page.last or low
            if not page.full:
                break
    assert sorted(names) == sorted(rows)


async def test_walking_all_pages_gives_every_document_in_order() -> None:
    rows = {f"ITM-{n:03}": MOMENTS[n % 4] for n in range(250)}
    async with stage(Table(rows).answer) as there, there.site() as site:
        found = [d["name"] async for d in site.documents("Item").where(name__gt="ITM-009")]
        newest = await site.documents("Item").newest_changes_first().fields("modified").all()
    assert found == [f"ITM-{n:03}" for n in range(10, 250)]
    assert [d["modified"] for d in newest] == sorted(rows.values(), reverse=True)


async def test_a_walk_by_modified_bound_on_both_sides_is_refused_before_it_is_asked() -> None:
    async with stage(lambda _: {"message": []}) as there, there.site() as site:
        position = (MOMENTS[0], "a")
        with pytest.raises(ValueError, match="one side"):
            await site.page(
                "Item",
                ["name", "modified"],
                key="modified",
                after=position,
                before=position,
                limit=5,
            )
        with pytest.raises(ValueError, match="or_filters"):
            await site.page(
                "Item",
                ["name", "modified"],
                key="modified",
                after=position,
                or_filters=[["disabled", "=", 1]],
                limit=5,
            )
        assert there.seen == []

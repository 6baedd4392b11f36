"""Fields that the site does not give to this user: above the user's permission level, or masked.

What is withheld is no value. It is not asked for, so nothing here is overwritten, compared or
called equal; it is told; and when the site gives it again, the rows are fetched again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from bascule.frappe import FrappeError, Invalid, Key, NoPermission, NotFound, Page, Position, Site
from bascule.mirror.pull.cursor import Cursor
from bascule.mirror.schema.columns import TableSchema, masks_among
from bascule.mirror.schema.migration import Table, Tables

SOME_ROLE = "a role that may read it"


class FieldsWithheld(FrappeError):
    """Nothing of the page was taken."""

    def __init__(self, doctype: str, fields: Iterable[str]) -> None:
        self.fields = tuple(fields)
        super().__init__(
            f"The site gives {doctype} without {', '.join(self.fields)}, and with it a moment ago.",
            next_step="Wait until nobody changes the user's rights, and sync again.",
            doctype=doctype,
        )


@dataclass(frozen=True, slots=True)
class WantedFields:
    """Which rows of a table are asked for, see `Site.page`."""

    filters: Sequence[Sequence[object]]
    limit: int
    key: Key = "name"
    descending: bool = False
    after: Position | None = None
    before: Position | None = None


async def page_of(site: Site, table: Table, parent: str, wanted: WantedFields) -> Page:
    """A page with every column of the table. FieldsWithheld where the site withholds one."""
    try:
        page = await _page(site, table, parent, wanted)
    except Invalid:
        if not table.through_parents:
            raise
        # An old Frappe, perhaps: as a list of their own the rows are had, without these fields.
        raise FieldsWithheld(table.doctype, table.levelled) from None
    if page.withheld:
        columns = {column.field for column in table.values}
        raise FieldsWithheld(table.doctype, (f for f in page.withheld if f in columns))
    if page.looks_masked:
        masked, told = await _masks(site, page)
        if masked:
            raise FieldsWithheld(table.doctype, masked)
        if told:  # the right to see them may have come after this page was made
            page = await _page(site, table, parent, wanted)
    return page


async def _page(site: Site, table: Table, parent: str, wanted: WantedFields) -> Page:
    return await site.page(
        table.doctype,
        table.fields,
        filters=wanted.filters,
        key=wanted.key,
        descending=wanted.descending,
        after=wanted.after,
        before=wanted.before,
        limit=wanted.limit,
        parent=parent if table.child else None,
        through_parents=table.through_parents,
    )


async def _masks(site: Site, page: Page) -> tuple[list[str], bool]:
    """The fields of a page that are masked for this user, and whether some are for anybody."""
    try:
        meta = await site.meta(page.doctype)
    except (NoPermission, NotFound):
        masked = masks_among(page.documents())
        return [name for name in page.fields if name in masked], False
    masked = meta.masked_for_user
    return [f for f in page.fields if f in masked], any(f.masked for f in meta.columns)


async def settle(
    site: Site, shape: TableSchema, tables: Tables, cursor: Cursor
) -> tuple[Tables, dict[str, dict[str, str]]]:
    """The tables with the columns that the site gives, and what is withheld since now; the cursor
    notes all that is. What was withheld and is given again is among the columns `added`, so that it
    is filled. One request for each table that something is kept from.
    """
    withheld: dict[str, dict[str, str]] = {}
    news: dict[str, dict[str, str]] = {}
    added = dict(tables.added)
    for one in (shape, *shape.children):
        before = cursor.withheld.get(one.doctype, {})
        asked = [f for f in before if f in one.fields and f not in one.masked]
        still = await _still_withheld(site, shape, one, asked)
        masked = [f for f in one.fields if f in one.masked]
        found = {f: one.needs.get(f, SOME_ROLE) for f in (*still, *masked)}
        if found:
            withheld[one.doctype] = found
        if fresh := {f: need for f, need in found.items() if not before.get(f)}:
            news[one.doctype] = fresh
        if given := [f for f in asked if f not in still]:
            added[one.doctype] = [*added.get(one.doctype, ()), *given]
    cursor.withheld = withheld
    parent = _narrowed(tables.parent, shape, withheld)
    shapes = {one.doctype: one for one in shape.children}
    family = {
        name: _narrowed(table, shapes[name], withheld) for name, table in tables.children.items()
    }
    return Tables(parent, family, added), news


async def _still_withheld(
    site: Site, shape: TableSchema, one: TableSchema, fields: Sequence[str]
) -> Sequence[str]:
    """Those of these fields that the site does not give, or of which it says nothing: where it has
    no rows.
    """
    if not fields:
        return ()
    try:
        page = await site.page(
            one.doctype,
            ("name", *fields),
            filters=[["parenttype", "=", shape.doctype]] if one.child else [],
            limit=1,
            parent=shape.doctype if one.child else None,
            through_parents=bool(one.child and one.once and one.levelled.intersection(fields)),
        )
    except (Invalid, NoPermission):
        return fields
    return page.withheld if page.count else fields


def _narrowed(table: Table, shape: TableSchema, withheld: Mapping[str, Mapping[str, str]]) -> Table:
    without = withheld.get(table.doctype, {})
    columns = tuple(column for column in table.columns if column.field not in without)
    levelled = [column.field for column in columns if column.field in shape.levelled]
    return replace(
        table, columns=columns, levelled=tuple(levelled) if table.child and shape.once else ()
    )


def note(cursor: Cursor, told: FieldsWithheld) -> None:
    """Note in the cursor what the site withheld. What that needs, `settle` finds and tells."""
    doctype = str(told.doctype)
    known = cursor.withheld.get(doctype, {})
    found = {**dict.fromkeys(told.fields, ""), **known}
    cursor.withheld = {**cursor.withheld, doctype: found}


def sentence(doctype: str, fields: Mapping[str, str]) -> str:
    """What is withheld of a DocType, and what it needs, for a run's log."""
    by_need: dict[str, list[str]] = {}
    for name, need in fields.items():
        by_need.setdefault(need, []).append(name)
    told = "; ".join(f"{', '.join(names)} (needs {need})" for need, names in by_need.items())
    return f"Withheld by the site, of {doctype}: {told}. What is here of it stays as it is."

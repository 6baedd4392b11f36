"""Which columns a DocType has here: typed from its definition, or from what its documents hold.

A column keeps the site's fieldname unless the stream renames it. Types are only a first offer: a
value that does not fit widens its column (see `copying`).
"""

import dataclasses
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bascule.frappe import (
    CHILD_FIELDS,
    STANDARD_FIELDS,
    DocType,
    NoPermission,
    Site,
    check_listed,
    is_mask,
)

TYPES = {
    "Check": "smallint",
    "Int": "bigint",
    "Long Int": "bigint",
    "Float": "numeric",
    "Currency": "numeric",
    "Percent": "numeric",
    "Duration": "numeric",
    "Rating": "numeric",
    "Date": "date",
    "Datetime": "timestamp",
    "Time": "time",
}
STANDARD_TYPES = {
    "name": 'text collate "C"',
    "creation": "timestamp",
    "modified": "timestamp",
    "docstatus": "smallint",
    "idx": "bigint",
    "parent": 'text collate "C"',
}
# Documents that are looked at where only they tell the types: so many, and more if they are small.
FEW, MANY, SMALL = 5, 100, 200_000  # characters


@dataclass(frozen=True, slots=True)
class Column:
    field: str  # on the site
    name: str  # here
    type: str  # PostgreSQL's

    @property
    def base_type(self) -> str:
        return self.type.split(" ", 1)[0]


@dataclass(frozen=True, slots=True, weakref_slot=True)
class TableSchema:
    """The columns of one DocType and the child tables that belong to its documents.

    `needs`: what a user has to have, in words, to be given a field that is not everybody's.
    `levelled`: the fields of a permission level. `masked`: those that this user gets as X's.
    `once`: of a child, whether its parent has it in one table only.
    """

    doctype: str
    columns: tuple[Column, ...]
    children: tuple["TableSchema", ...] = ()
    child: bool = False
    needs: Mapping[str, str] = dataclasses.field(default_factory=dict)
    levelled: frozenset[str] = frozenset()
    masked: frozenset[str] = frozenset()
    once: bool = True

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(column.field for column in self.columns)


def _columns(
    offered: Iterable[tuple[str, str]], *, child: bool, omit: list[str], rename: Mapping[str, Any]
) -> tuple[Column, ...]:
    standard = CHILD_FIELDS if child else STANDARD_FIELDS
    columns = {field: Column(field, field, STANDARD_TYPES.get(field, "text")) for field in standard}
    for field, pg_type in offered:
        if field not in columns and field not in omit:
            columns[field] = Column(field, str(rename.get(field, field)), pg_type)
    return tuple(columns.values())


def fields_of(meta: DocType) -> set[str]:
    """All that can be mirrored of a document itself."""
    return {column.field for column in _columns(_offers(meta), child=False, omit=[], rename={})}


async def table_schema_of(
    site: Site, doctype: str, omit: list[str], rename: Mapping[str, Any]
) -> TableSchema:
    """The shape of a DocType with its child tables, from its definition where the user may read
    that. Invalid where it has become one whose documents cannot be listed.
    """
    try:
        meta = await site.meta(doctype)
    except NoPermission:
        return await _inferred_shape(site, doctype, omit, rename)
    check_listed(meta)
    children = []
    tables = [name for _, name in meta.children]
    for child in dict.fromkeys(tables):
        try:
            child_meta = await site.meta(child)
        except NoPermission:
            continue
        columns = _columns(_offers(child_meta), child=True, omit=[], rename={})
        once = tables.count(child) == 1
        children.append(
            TableSchema(
                child, columns, child=True, once=once, **_not_for_everybody(child_meta, meta)
            )
        )
    own = _columns(_offers(meta), child=False, omit=omit, rename=rename)
    return TableSchema(doctype, own, tuple(children), **_not_for_everybody(meta, meta))


def _offers(meta: DocType) -> list[tuple[str, str]]:
    return [(field.name, TYPES.get(field.type, "text")) for field in meta.columns]


def _not_for_everybody(meta: DocType, holder: DocType) -> dict[str, Any]:
    """Of a DocType, the fields that some get and some do not. `holder`: of a child, its parent,
    which has the permission levels.
    """
    needs = {}
    for one in meta.columns:
        if one.permlevel:
            roles = holder.roles_that_may("read", one.permlevel)
            needs[one.name] = f"permission level {one.permlevel} of {holder.name}{_of(roles)}"
        elif one.masked:
            roles = meta.roles_that_may("mask", one.permlevel)
            needs[one.name] = f"the right Mask on {meta.name}{_of(roles)}"
    levelled = frozenset(one.name for one in meta.columns if one.permlevel)
    return {"needs": needs, "levelled": levelled, "masked": meta.masked_for_user}


def _of(roles: tuple[str, ...]) -> str:
    return f" (as {' or '.join(roles)} has)" if roles else ""


async def _inferred_shape(
    site: Site, doctype: str, omit: list[str], rename: Mapping[str, Any]
) -> TableSchema:
    """The shape as the newest documents show it: a list gives the columns, whole documents the
    child tables.
    """
    rows = await site.list(doctype, ["*"], order_by="modified desc", limit=FEW)
    if len(rows) == FEW and len(str(rows)) < SMALL:
        rows = await site.list(doctype, ["*"], order_by="modified desc", limit=MANY)
    children: dict[str, list[dict[str, Any]]] = {}
    for row in rows[:5]:
        for value in (await site.document(doctype, str(row["name"]))).values():
            if isinstance(value, list):
                for child in value:
                    children.setdefault(child["doctype"], []).append(child)
    return TableSchema(
        doctype,
        _columns(_guessed(rows), child=False, omit=omit, rename=rename),
        tuple(
            TableSchema(
                name,
                _columns(_guessed(found), child=True, omit=[], rename={}),
                child=True,
                masked=masks_among(found),
            )
            for name, found in children.items()
        ),
        masked=masks_among(rows),
    )


def masks_among(rows: list[dict[str, Any]]) -> frozenset[str]:
    """The fields that have masks in these rows and no value that is none."""
    values: dict[str, list[Any]] = {}
    for row in rows:
        for name, value in row.items():
            if value not in (None, ""):
                values.setdefault(name, []).append(value)
    return frozenset(name for name, found in values.items() if all(map(is_mask, found)))


def _guessed(rows: list[dict[str, Any]]) -> list[tuple[str, str]]:
    fields = dict.fromkeys(field for row in rows for field in row)
    return [
        (field, _guess([row[field] for row in rows if row.get(field) is not None]))
        for field in fields
        if field != "doctype" and not field.startswith("_")
    ]


_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_DATETIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?")


def _guess(values: list[Any]) -> str:
    """The type that all the values fit. No value at all says nothing, and text holds everything."""
    if not values:
        return "text"
    if all(isinstance(value, int) for value in values):
        return "bigint"
    if all(isinstance(value, int | float) for value in values):
        return "numeric"
    if all(isinstance(value, str) and _DATE.fullmatch(value) for value in values):
        return "date"
    if all(isinstance(value, str) and _DATETIME.fullmatch(value) for value in values):
        return "timestamp"
    return "text"

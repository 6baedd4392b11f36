"""What a table lacks of the shape that a DocType has: columns that come, go, widen or are renamed.

Knows no database: what is there goes in, what has to be done comes out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bascule.frappe.checksums import CHECKSUM
from bascule.mirror.pull.fitting import WIDER
from bascule.mirror.schema.columns import Column, TableSchema
from bascule.mirror.schema.names import SYSTEM_COLUMNS, column_names
from bascule.mirror.schema.widths import check_columns

_OWN = frozenset({"_deleted_at", "_synced_at", CHECKSUM})


@dataclass(frozen=True, slots=True)
class Plan:
    """`wanted`: the columns of the shape under the names that they get. `renamed`: as it is, and
    as it shall be; `widened` likewise. `gone`: fields that the site has not any more.
    """

    schema: str
    name: str
    shape: TableSchema
    wanted: tuple[Column, ...]
    new: bool = False
    omitted: tuple[Column, ...] = ()
    added: tuple[Column, ...] = ()
    renamed: tuple[tuple[Column, Column], ...] = ()
    widened: tuple[tuple[Column, Column], ...] = ()
    gone: tuple[str, ...] = ()
    told: tuple[str, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether there is anything to make or to alter."""
        return self.new or bool(self.added or self.renamed or self.under_views)

    @property
    def under_views(self) -> bool:
        """PostgreSQL lets views stand on columns that come or are renamed, not on these."""
        return bool(self.omitted or self.widened)

    @property
    def fields_added(self) -> list[str]:
        return [column.field for column in self.added]

    def renaming_steps(self) -> Iterator[tuple[str, str]]:
        """From name to name, so that none is in use when it is given: those that cross step aside
        first.
        """
        now = {before.name for before, _ in self.renamed}
        crossing = [pair for pair in self.renamed if pair[1].name in now]
        for number, (before, _) in enumerate(crossing):
            yield before.name, f"_moving_{number}"
        for before, after in self.renamed:
            if after.name not in now:
                yield before.name, after.name
        for number, (_, after) in enumerate(crossing):
            yield f"_moving_{number}", after.name


def plan_table(
    schema: str, name: str, shape: TableSchema, there: Sequence[Column] | None, omit: frozenset[str]
) -> Plan:
    """`there`: the table's columns, without a field where they hold none; None: no table yet.

    A field that the site no longer has keeps its column and its values; one left out by choice is
    dropped.
    """
    columns = {column.field: column for column in there or () if column.field}
    omitted = tuple(columns.pop(field) for field in sorted(omit & columns.keys()))
    others = {column.name for column in there or () if not column.field}
    names = column_names(
        {column.field: column.name for column in shape.columns},
        {field: column.name for field, column in columns.items()},
        _OWN | others,
    )
    wanted = tuple(Column(c.field, names[c.field], c.type) for c in shape.columns)
    renamed = tuple(
        (now, Column(field, names[field], now.type))
        for field, now in columns.items()
        if now.name != names[field]
    )
    added = tuple(column for column in wanted if column.field not in columns)
    check_columns(shape, len(columns) + len(added) + len(others | _OWN))
    widened = tuple(
        (Column(column.field, column.name, now.type), Column(column.field, column.name, to))
        for column in wanted
        if (now := columns.get(column.field)) is not None
        and (to := wider_type(now.base_type, column.base_type)) is not None
    )
    gone = tuple(field for field in columns if field not in set(shape.fields))
    place = f"{schema}.{name}"
    moved = {after.field: after.name for _, after in renamed} | {c.field: c.name for c in added}
    asked = {column.field: column.name for column in shape.columns}
    told = (
        *(_named(shape, field, column, asked) for field, column in moved.items()),
        *(f"{place}.{c.name} became {c.type}: the field has another type now" for _, c in widened),
    )
    return Plan(
        schema,
        name,
        shape,
        wanted,
        new=there is None,
        omitted=omitted,
        added=added,
        renamed=renamed,
        widened=widened,
        gone=gone,
        told=tuple(line for line in told if line),
    )


def _named(shape: TableSchema, field: str, column: str, asked: dict[str, str]) -> str:
    """What is to be said of a column's name that nobody asked for; nothing where it was asked."""
    wanted = asked.get(field, field)
    if column == wanted:
        return ""
    if wanted in SYSTEM_COLUMNS:
        why = f"{wanted} is a column of PostgreSQL's own"
    elif field not in asked:
        why = "its name was given to another field, and the site has it no more"
    else:
        why = "its name is too long, or another column has it"
    return f"{shape.doctype}.{field} is in the column {column}: {why}"


def wider_type(now: str, wanted: str) -> str | None:
    """The type to go over to, so that the column holds its values and the wanted ones; None: it
    does.
    """
    if now == wanted or now in WIDER.get(wanted, ()):
        return None
    return wanted if wanted in WIDER.get(now, ()) else "text"

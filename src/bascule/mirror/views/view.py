"""What a view is: its columns with their sources, its key, and the SQL it stands for."""

from collections.abc import Callable
from dataclasses import dataclass

from psycopg.sql import Composed

from bascule.mirror.views.sources import Sources


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    type: str  # PostgreSQL's: text, numeric, date, boolean, bigint
    what: str
    source: str  # the DocType's field, or the rule


@dataclass(frozen=True, slots=True)
class View:
    """`key`: the columns that tell one row from all others, none of them ever null."""

    name: str
    what: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    query: Callable[[Sources], Composed]


VIEWS: dict[str, View] = {}


def define(
    name: str,
    what: str,
    key: tuple[str, ...],
    query: Callable[[Sources], Composed],
    columns: list[tuple[str, str, str, str]],
) -> View:
    """Make a view known. `columns`: name, type, what it is, source."""
    VIEWS[name] = View(name, what, key, tuple(Column(*column) for column in columns), query)
    return VIEWS[name]


def views_markdown() -> str:
    """The reference part of docs/views.md."""
    parts = []
    for view in VIEWS.values():
        rows = [
            f"| `{c.name}` | {c.type} | {c.what} | {c.source} |".replace("||", "\\|\\|")
            for c in view.columns
        ]
        key = ", ".join(f"`{column}`" for column in view.key)
        parts.append(
            f"### `{view.name}`\n\n{view.what} Key: {key}.\n\n"
            "| column | type | what it is | where it comes from |\n|---|---|---|---|\n"
            + "\n".join(rows)
        )
    return "\n\n".join(parts) + "\n"

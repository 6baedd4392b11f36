"""A secret belongs to the address that it was given for, and is never sent to another one.

Every encrypted column names the column of its row that holds this address (`base.encrypted`). Code
that changes a row calls `refuse_moved` first, before it tries the new address; a write that does
not is refused too.
"""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Column, Connection, event, inspect
from sqlalchemy.orm import InstanceState, Mapper

from bascule.errors import Invalid
from bascule.store.base import Base

PORTS = {"http": 80, "https": 443}


def same_place(one: str | None, other: str | None) -> bool:
    """Whether two addresses have the same scheme, host, port and folder; False without an address.

    The folder counts because two folders of a host may belong to different people.
    """
    return one is not None and other is not None and _place(one) == _place(other)


def refuse_moved(row: Base, changes: Mapping[str, Any]) -> None:
    """Invalid where `changes`, by column, would keep a stored secret with another address.

    Removing the address is allowed: nothing is sent without one, and a new one counts as another.
    """
    _refuse(row, {name: (getattr(row, name), value) for name, value in changes.items()})


def sealed_columns(table: Any) -> Iterator[Column[Any]]:
    """The columns of a table that hold secrets bound to an address."""
    return (column for column in table.columns if "beside" in column.info)


def _refuse(row: Base, changes: Mapping[str, tuple[Any, Any]]) -> None:
    """`changes` maps a column to its old and its new value."""
    wanting: dict[str, str] = {}
    names: list[str] = []
    for column in sealed_columns(row.__table__):
        before, after = changes.get(column.info["beside"], (None, None))
        if not after or same_place(before, after):
            continue
        names.append(column.info["called"])
        if column.name not in changes and getattr(row, column.name) is not None:
            wanting[column.name.removesuffix("_encrypted")] = "has to be given with another address"
    if wanting:
        raise Invalid(
            "Another address wants its own credentials: those that are saved are not sent to it.",
            next_step=f"Give the {' and the '.join(names)} together with the new address; nothing "
            "was changed.",
            fields=wanting,
        )


@event.listens_for(Base, "before_update", propagate=True)
def _before_update(_mapper: Mapper[Any], _conn: Connection, row: Base) -> None:
    sealed = list(sealed_columns(row.__table__))
    if not sealed:  # almost every row has no such column
        return
    state: InstanceState[Any] = inspect(row)
    changes = {}
    for name in {each for column in sealed for each in (column.name, column.info["beside"])}:
        history = state.attrs[name].history
        if history.added:  # what was there before is not known of a row that was never read
            changes[name] = (next(iter(history.deleted or ()), None), history.added[0])
    _refuse(row, changes)


def _place(address: str) -> tuple[str, str, int | None, str] | str:
    try:
        parts = urlsplit(address.strip())
        port = parts.port or PORTS.get(parts.scheme)
    except ValueError:
        return address
    return parts.scheme, parts.hostname or "", port, parts.path.rstrip("/")

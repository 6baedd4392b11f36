"""What a request or a verb changes of the hub's settings, value by value, for the journal.

Each table names the columns that are told (`told`); of a secret only that it is another one now.
Only what is committed counts. Routes and verbs need not remember it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from sqlalchemy import event, inspect
from sqlalchemy.orm import Session

from bascule.store.base import Base

Changes = dict[str, Any]  # the column -> [before, after], or a word where it is secret
_noted: ContextVar[Changes | None] = ContextVar("noted", default=None)
PENDING = "journal"
REPLACED = "is another one now"


@contextmanager
def recording_changes() -> Iterator[Changes]:
    """Fills while it is open, with what this task commits."""
    changes: Changes = {}
    before = _noted.set(changes)
    try:
        yield changes
    finally:
        _noted.reset(before)


@event.listens_for(Session, "before_flush")
def _look(session: Session, *_: object) -> None:
    if _noted.get() is None:
        return
    pending: Changes = session.info.setdefault(PENDING, {})
    for one in session.dirty:
        if isinstance(one, Base):
            pending |= _of(one)


@event.listens_for(Session, "after_commit")
def _keep(session: Session) -> None:
    changes = _noted.get()
    if changes is not None and not session.in_nested_transaction():  # else more is to come
        changes |= session.info.pop(PENDING, {})


@event.listens_for(Session, "after_rollback")
def _drop(session: Session) -> None:
    session.info.pop(PENDING, None)


def _of(one: Base) -> Changes:
    state = inspect(one)
    found: Changes = {}
    for name in one.told:
        history = state.attrs[name].history
        if not history.has_changes():
            continue
        before, after = [*history.deleted, None][0], [*history.added, None][0]
        secret = "called" in one.__table__.columns[name].info
        found[f"{one.told_as} {name}".strip()] = REPLACED if secret else [before, after]
    return found

"""Failures of the database or the machine, in words: causes that are no fault of the hub."""

import errno

import psycopg
import sqlalchemy.exc
from psycopg_pool import PoolTimeout

from bascule.store.base import HUB_SCHEMA
from bascule.store.errors import StoreError
from bascule.store.session import JOBS_SCHEMA

FAULT = (
    "This is a fault of the hub. Please report it: `bascule --version`, what was being done, and "
    "the lines of the hub's log from this moment, which hold no credentials."
)
_SAID = 300  # characters of the database's own message


class Failed(StoreError):
    """The database, or the machine that the hub runs on, failed."""


def cause_of(error: BaseException) -> Failed | None:
    """The cause of an exception and the next step; None where the cause is not known.

    By PostgreSQL's SQLSTATE (its documentation, appendix A), under SQLAlchemy's wrapping too.
    """
    if isinstance(error, sqlalchemy.exc.DBAPIError) and isinstance(error.orig, psycopg.Error):
        error = error.orig
    if isinstance(error, psycopg.Error):
        return _of_the_database(error)
    if isinstance(error, PoolTimeout | sqlalchemy.exc.TimeoutError):
        return Failed(
            "The hub had no connection to its database free for a long time.",
            next_step="Nothing: it goes on by itself. If it stays, sync fewer things at once, or "
            "look at what holds the database up with 'bascule doctor'.",
        )
    return _of_the_machine(error)


def _of_the_machine(error: BaseException) -> Failed | None:
    number = error.errno if isinstance(error, OSError) else None
    if number in (errno.ENOSPC, errno.EDQUOT):
        return Failed(
            "The disk of the hub's machine is full.",
            next_step="Free some space on it; the next sync goes on where it was.",
        )
    if isinstance(error, MemoryError) or number == errno.ENOMEM:
        return Failed(
            "The hub's machine has no memory left.",
            next_step="Give it more, or let a worker do less at once "
            "(BASCULE_WORKER_CONCURRENCY); the next sync goes on where it was.",
        )
    if number in (errno.EMFILE, errno.ENFILE):
        return Failed(
            "The hub's machine lets it open no more files and connections.",
            next_step="Raise the limit (ulimit -n) and start the hub again.",
        )
    return None


def _of_the_database(error: psycopg.Error) -> Failed | None:
    state = error.sqlstate or ""
    if not state:
        gone = isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
        return _lost() if gone else None
    said = " ".join((error.diag.message_primary or "").split())[:_SAID]
    ours = error.diag.schema_name in (HUB_SCHEMA, JOBS_SCHEMA)
    if state.startswith("23") and error.diag.constraint_name and not ours:
        return Failed(
            f"A rule that somebody made on a table of the mirror forbids a row: {said}",
            next_step="Drop that constraint; the mirror takes every row that the site has. Then "
            "sync again.",
        )
    return _of_its_state(state) or _of_the_work(state, said)


def _lost() -> Failed:
    return Failed(
        "The connection to the hub's database was lost.",
        next_step="Nothing: the next sync goes on where it was. If it happens again, look at "
        "'bascule doctor' and the database's log.",
    )


def _of_its_state(state: str) -> Failed | None:
    """Failures that do not depend on the statement."""
    if state.startswith("08") or state in ("57P01", "57P02", "57P03", "57P05", "25P03"):
        return _lost()
    if state in ("53100", "58030"):
        return Failed(
            "The disk of the hub's database is full, or fails.",
            next_step="Free some space there; the next sync goes on where it was.",
        )
    if state in ("53200", "53000", "53400"):
        return Failed(
            "The hub's database has no memory left, or reached a limit of its own.",
            next_step="Give it more (its log says of what); the next sync goes on where it was.",
        )
    if state == "53300":
        return Failed(
            "The hub's database has no connection left.",
            next_step="Raise max_connections there, or stop what holds them.",
        )
    if state in ("25006", "57P04"):
        return Failed(
            "The hub's database takes no writes at present.",
            next_step="Make it writable again: it may have become a standby, or its owner closed "
            "it.",
        )
    if state in ("40001", "40P01", "55P03", "57014"):
        return Failed(
            "The hub's database stopped this in favour of something else: a lock, a limit of "
            "time, or somebody who cancelled it.",
            next_step="Nothing: the next sync goes on where it was. If it stays, look at what "
            "holds locks on the mirror's tables.",
        )
    if state.startswith("XX"):
        return Failed(
            "The hub's database found its own files or memory broken.",
            next_step="Look at its log before anything else; restore it, or let the mirror be "
            "pulled again into another database.",
        )
    return None


def _of_the_work(state: str, said: str) -> Failed | None:
    """Failures of the statement, with the database's message."""
    if state.startswith("42501"):
        return Failed(
            f"The database does not let the hub's user do this: {said}",
            next_step="Make the user in BASCULE_DATABASE_URL the owner of the mirror's schemas and "
            "tables, or grant it what it lacks.",
        )
    if state.startswith("54"):
        return Failed(
            f"A row or a table is larger than PostgreSQL can hold: {said}",
            next_step="Leave out fields of this DocType that nobody reads, the longest first "
            "(`bascule streams omit`), and sync again.",
        )
    if state.startswith("22"):
        return Failed(
            f"A value of the site does not fit its column here: {said}",
            next_step="Correct that value in ERPNext, or leave its field out "
            "(`bascule streams omit`); then sync again.",
        )
    if state in ("2BP01", "0A000"):
        return Failed(
            f"Something that hangs on the mirror's tables is in the way: {said}",
            next_step="Drop the view or rule that somebody made on them, sync, and make it again.",
        )
    if state in ("42P01", "3F000", "42703", "42704"):
        return Failed(
            f"Something is missing in the database that the hub had made: {said}",
            next_step="Let nobody change the mirror's tables. Remove this stream and add it again "
            "(`bascule streams remove`, `add`): it is pulled anew.",
        )
    return None

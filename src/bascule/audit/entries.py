"""Who did what, when, from where: one row for each thing done, kept for 400 days.

Every request that may change something is recorded by `recorder`, without its route knowing;
what happens elsewhere (sign-ins, the command line) calls `record`. No secrets and no bodies.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb
from psycopg_pool import PoolClosed, PoolTimeout
from sqlalchemy import ColumnElement, and_, column, exists, or_, select, table
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import HTTPConnection

from bascule.audit.tables import Audit
from bascule.events.live import NOBODY, PRIVATE_TO, publish
from bascule.store.base import HUB_SCHEMA
from bascule.store.database import driver_connection

KEPT_DAYS = 400
# The room itself is on a higher floor.
CONNECTIONS = table(
    "connections", *map(column, ("id", "slug", "shared", "owner_id")), schema=HUB_SCHEMA
)
MOST_VALUES = 100  # of a list
# What may keep a row from being written; what it tells of is done all the same.
UNWRITTEN = (psycopg.Error, SQLAlchemyError, PoolTimeout, PoolClosed, OSError)
LONGEST = 300  # characters of what somebody typed: enough to see what it was


class Person(Protocol):
    """Who did it, as `accounts` knows them."""

    @property
    def id(self) -> int: ...

    @property
    def username(self) -> str: ...


@dataclass
class Entry:
    """What a request's row will say beyond the request itself; see `entry_of`."""

    wanted: bool | None = None  # None: as its method says; a download is wanted all the same
    connection_id: UUID | None = None
    private_to: int | None = None
    object: str = ""
    detail: dict[str, Any] = field(default_factory=dict)


def entry_of(connection: HTTPConnection) -> Entry:
    """The request's own entry: a route may say there what its row shall name."""
    entry: Entry | None = getattr(connection.state, "journal", None)
    if entry is None:
        entry = connection.state.journal = Entry()
    return entry


async def recorded(connection: HTTPConnection) -> None:
    """A dependency of routes that only read and are recorded all the same: exports, downloads."""
    entry_of(connection).wanted = True


async def do_not_record(connection: HTTPConnection) -> None:
    """A dependency of a form that only asks what is wrong with it so far: nothing is done."""
    entry_of(connection).wanted = False


def about(connection: HTTPConnection, of: Any) -> None:
    """The request concerns this connection (a row with `id`, `slug`, `shared` and `owner_id`)."""
    entry = entry_of(connection)
    entry.connection_id, entry.object = of.id, entry.object or of.slug
    entry.private_to = private_to(of)


def private_to(of: Any) -> int | None:
    """Whose this connection is alone; None: everybody may see it."""
    if of.shared:
        return None
    return NOBODY if of.owner_id is None else int(of.owner_id)


async def record(
    session: AsyncSession,
    *,
    action: str,
    user: Person | None = None,
    via: str = "",
    address: str = "",
    connection_id: UUID | None = None,
    object: str = "",
    detail: Mapping[str, Any] | None = None,
    username: str = "",
    private_to: int | None = None,
) -> int:
    """One row, in the caller's transaction; its number. `action` is a word or two with dots, such
    as `sign-in` or `cli.connect`; `object`: what it was done to; `detail` never holds a secret.

    A row about a private connection is its owner's alone: `private_to`, or whose the connection is
    as it stands there now, so record its end before it.
    """
    raw = await driver_connection(session)
    values = {
        "user_id": user.id if user else None,
        "username": _short(user.username if user else username),
        "action": action,
        "via": via,
        "address": address[:100],
        "connection_id": connection_id,
        "private_to": private_to,
        "object": _short(object),
        "detail": Jsonb(_plain(detail or {})),
    }
    row = await (await raw.execute(_INSERT, values)).fetchone()
    if row is not None and row[1] is None:
        await publish(raw, "audit", keep=False, audit_id=row[0], action=action)
    elif connection_id is not None:
        # What was done while it was still shared would tell of it when it is gone.
        await raw.execute(
            "UPDATE bascule.audit SET private_to = %s"
            " WHERE connection_id = %s AND private_to IS NULL",
            [row[1] if row else None, connection_id],
        )
    return int(row[0]) if row is not None else 0


async def tell_more(
    session: AsyncSession, row: int, of: Any = None, detail: Mapping[str, Any] | None = None
) -> None:
    """What is known only later of something that was recorded as it began. `of`: as in `about`."""
    raw = await driver_connection(session)
    if of is not None:
        await raw.execute(
            "UPDATE bascule.audit SET connection_id = %s, private_to = %s,"
            " object = concat_ws(' ', %s::text, nullif(object, '')) WHERE id = %s",
            [of.id, private_to(of), of.slug, row],
        )
    if detail:
        await raw.execute(
            "UPDATE bascule.audit SET detail = detail || %s WHERE id = %s",
            [Jsonb(_plain(detail)), row],
        )


_INSERT = f"""
    INSERT INTO bascule.audit (user_id, username, action, via, address, connection_id, private_to,
                               object, detail)
    VALUES (%(user_id)s, %(username)s, %(action)s, %(via)s, %(address)s, %(connection_id)s,
            coalesce(%(private_to)s::integer, {PRIVATE_TO}), %(object)s, %(detail)s)
    RETURNING id, private_to
"""


@dataclass(frozen=True)
class EntryQuery:
    """Which rows. `user`: a name; `action`: it, or those that begin with it and a dot;
    `connection`: an id or a slug.
    """

    user: str | None = None
    action: str | None = None
    connection: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        if self.user is not None:
            found.append(Audit.username == _short(self.user))
        if self.action is not None:
            action = _short(self.action)
            inside = Audit.action.startswith(f"{action}.", autoescape=True)
            found.append(or_(Audit.action == action, inside))
        if self.connection is not None:
            found.append(_about(_short(self.connection)))
        if self.since is not None:
            found.append(Audit.at >= self.since)
        if self.until is not None:
            found.append(Audit.at < self.until)
        return found


async def entries(
    session: AsyncSession,
    viewer: Person,
    wanted: EntryQuery,
    *,
    before: int | None = None,
    limit: int = 100,
) -> list[Audit]:
    """Newest first, without what concerns others' private connections; `before`: the id of the last
    one that one has.
    """
    visible = or_(Audit.private_to.is_(None), Audit.private_to == viewer.id)
    made_private = exists(
        select(CONNECTIONS.c.id).where(
            CONNECTIONS.c.id == Audit.connection_id,
            ~CONNECTIONS.c.shared,
            CONNECTIONS.c.owner_id.is_distinct_from(viewer.id),
        )
    )
    query = select(Audit).where(visible, ~made_private, *wanted.conditions())
    if before is not None:
        query = query.where(Audit.id < before)
    return list((await session.scalars(query.order_by(Audit.id.desc()).limit(limit))).all())


async def connections_seen(session: AsyncSession, viewer: Person) -> dict[UUID, str]:
    """The slugs of the connections that there are, of those that this viewer may see."""
    seen = or_(CONNECTIONS.c.shared, CONNECTIONS.c.owner_id == viewer.id)
    query = select(CONNECTIONS.c.id, CONNECTIONS.c.slug).where(seen).order_by(CONNECTIONS.c.slug)
    return dict((await session.execute(query)).all())


def _about(connection: str) -> ColumnElement[bool]:
    try:
        return Audit.connection_id == UUID(connection)
    except ValueError:
        named = select(CONNECTIONS.c.id).where(CONNECTIONS.c.slug == connection)
        gone = and_(Audit.connection_id.is_not(None), Audit.object == connection)
        return or_(Audit.connection_id.in_(named), gone)


async def forget_old(conn: psycopg.AsyncConnection[Any]) -> None:
    await conn.execute(
        "DELETE FROM bascule.audit WHERE at < now() - make_interval(days => %s)", [KEPT_DAYS]
    )


def _short(value: str) -> str:
    """What people type may hold what PostgreSQL cannot, and be long."""
    plain = value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    return plain if len(plain) <= LONGEST else f"{plain[:LONGEST]}..."


def _plain(detail: Mapping[str, Any]) -> dict[str, Any]:
    return {_short(name): _value(value) for name, value in detail.items() if value is not None}


def _value(value: Any) -> Any:
    """As JSON has it, with texts that are short; `changed` alone is more than a value."""
    if value is None or isinstance(value, int | float | bool):
        return value
    if isinstance(value, Mapping):
        return {_short(str(name)): _value(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_value(one) for one in value[:MOST_VALUES]]
    return _short(str(value))

"""One attempt at a run: what it works with, and the one way its pages are committed.

The stream's fence grew when the attempt began, and every commit names it. An attempt that was
taken over while it hung finds another number there, and stops without having written anything.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from psycopg import AsyncConnection

from bascule.connections.tables import Connection
from bascule.events.live import publish
from bascule.frappe import Key, Page, Position, Site
from bascule.frappe.walk_limit import WalkLimit, limit_by_name
from bascule.mirror.proof.findings import By
from bascule.mirror.pull.cursor import Cursor
from bascule.mirror.quota import RoomLeft
from bascule.mirror.schema.columns import TableSchema
from bascule.mirror.schema.migration import Table, Tables
from bascule.mirror.streams.withheld import WantedFields, page_of
from bascule.store import Database
from bascule.telemetry import count as counted

PROGRESS = 0.25  # seconds between two events that tell how far a run is


class Superseded(Exception):
    """Another attempt at this stream began later; this one must not write any more."""


def first_of(raised: BaseException) -> BaseException:
    """The error that the others of its group follow from."""
    while isinstance(raised, BaseExceptionGroup):
        raised = raised.exceptions[0]
    return raised


@dataclass(slots=True)
class Tally:
    """What a commit adds to the run's counts, and `moves`: how the cursor goes on with it."""

    rows: int = 0  # live rows more than before
    read: int = 0
    expected: int = 0  # rows that nobody could count before they came
    changed: int = 0
    deleted: int = 0
    pages: int = 0
    bytes: int = 0
    moves: Callable[[Cursor], None] | None = None

    def saw(self, page: Page) -> None:
        self.read += page.count
        self.pages += 1
        self.bytes += page.bytes


@dataclass(slots=True)
class Attempt:
    db: Database
    site: Site
    connection: Connection
    stream_id: int
    doctype: str
    filters: list[list[object]]  # what the site is asked for
    run_id: int
    fence: int
    trigger: str  # what began it, see `Run`
    cursor: Cursor
    shape: TableSchema
    tables: Tables
    rows: int  # live rows here
    room: RoomLeft
    streams: int = 1  # that are on, of this connection
    newest: str | None = None  # `modified` that this attempt has seen
    compared_by: By | None = None  # what a sync held against the site, once it has
    reappeared: bool = False  # a document was renamed, or came into the filter: so it seems
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    totals: Tally = field(default_factory=Tally)
    _told_at: float = 0.0  # when progress was last told
    _committing: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def by_hand(self) -> bool:
        """A person asked for it, so look closely."""
        return self.trigger not in ("schedule", "demo")

    @property
    def by_a_person(self) -> bool:
        return self.trigger in ("cli", "api", "page")

    @property
    def done(self) -> str:
        """What the log says at the end."""
        totals = self.totals
        return (
            f"Done: {totals.read:,} rows read, {totals.changed:,} written, "
            f"{totals.deleted:,} deleted, {self.rows:,} here"
        )

    @property
    def schema(self) -> str:
        return self.connection.slug

    def scope(self, table: Table) -> list[list[object]]:
        """The filters of this stream's rows of a table: a child table may have other DocTypes'."""
        return [["parenttype", "=", self.doctype]] if table.child else self.filters

    async def page(
        self,
        table: Table,
        filters: Sequence[list[object]] = (),
        *,
        limit: int,
        key: Key = "name",
        descending: bool = False,
        after: Position | None = None,
        before: Position | None = None,
    ) -> Page:
        """A page of this stream's rows of a table. FieldsWithheld where a column is not given."""
        wanted = WantedFields([*self.scope(table), *filters], limit, key, descending, after, before)
        return await page_of(self.site, table, self.doctype, wanted)

    async def count(self, table: Table, filters: Sequence[list[object]] = ()) -> int:
        """How many of this stream's rows of a table the site has."""
        parent = self.doctype if table.child else None
        return await self.site.count(table.doctype, [*self.scope(table), *filters], parent=parent)

    def ending(
        self,
        table: Table,
        filters: Sequence[list[object]] = (),
        most: Callable[[int], int] = limit_by_name,
        *,
        counted: int | None = None,
        got: int = 0,
    ) -> WalkLimit:
        """What holds a walk over these rows against their count."""
        return WalkLimit(
            table.doctype, lambda: self.count(table, filters), most, counted=counted, got=got
        )

    @asynccontextmanager
    async def committing(self, conn: AsyncConnection) -> AsyncIterator[Tally]:
        """A transaction on `conn` whose last statement moves the cursor and counts, under the
        fence.
        """
        tally = Tally()
        try:
            # What was pulled can be pulled again, so a commit need not wait for the disk: a page
            # and the cursor that it moved are lost together, if at all.
            await conn.execute("SET LOCAL synchronous_commit = off")
            yield tally
            async with self._committing:
                if tally.changed or tally.rows > 0:
                    await self.room.refuse_without(conn, self.connection)
                if tally.moves is not None:
                    tally.moves(self.cursor)
                await self._write(conn, tally)
                await conn.commit()
        except BaseException:
            await conn.rollback()
            raise
        self.rows += tally.rows
        for what, many in (("read", tally.read), ("written", tally.changed)):
            counted("rows", many, connection=self.schema, what=what)
        counted("rows", tally.deleted, connection=self.schema, what="deleted")
        for count in ("rows", "read", "changed", "deleted", "pages", "bytes"):
            setattr(self.totals, count, getattr(self.totals, count) + getattr(tally, count))

    async def _write(self, conn: AsyncConnection, tally: Tally) -> None:
        mine = await conn.execute(
            """
            UPDATE bascule.streams SET cursor = %s::jsonb, rows = rows + %s
             WHERE id = %s AND fence = %s
            """,
            [self.cursor.dump(), tally.rows, self.stream_id, self.fence],
        )
        if mine.rowcount == 0:
            raise Superseded(f"stream {self.stream_id} was taken over")
        counts = await conn.execute(
            """
            UPDATE bascule.runs
               SET rows_read = rows_read + %(read)s, rows_changed = rows_changed + %(changed)s,
                   rows_deleted = rows_deleted + %(deleted)s, pages = pages + %(pages)s,
                   bytes = bytes + %(bytes)s,
                   expected_rows = CASE WHEN expected_rows IS NOT NULL THEN
                       greatest(expected_rows + %(expected)s, rows_read + %(read)s) END
             WHERE id = %(run)s RETURNING rows_read, rows_changed, rows_deleted, expected_rows
            """,
            {
                "read": tally.read,
                "changed": tally.changed,
                "deleted": tally.deleted,
                "pages": tally.pages,
                "bytes": tally.bytes,
                "expected": tally.expected,
                "run": self.run_id,
            },
        )
        now = time.monotonic()
        if tally.pages and now - self._told_at >= PROGRESS and (row := await counts.fetchone()):
            self._told_at = now
            names = ("rows_read", "rows_changed", "rows_deleted", "expected_rows")
            await self._tell(conn, "run", outcome="running", **dict(zip(names, row, strict=True)))

    async def _tell(self, conn: AsyncConnection, kind: str, **data: Any) -> None:
        await publish(
            conn,
            kind,
            connection_id=self.connection.id,
            keep=False,
            run_id=self.run_id,
            stream_id=self.stream_id,
            **data,
        )

    async def save(self, moves: Callable[[Cursor], None] | None = None) -> None:
        """Write the cursor by itself."""
        async with self.lane() as conn, self.committing(conn) as tally:
            tally.moves = moves

    async def forget_proof(self) -> None:
        """What was proven is of other documents than the stream's filter lets through now."""
        async with self.db.connection() as conn:
            await conn.execute(
                "UPDATE bascule.streams SET verified_equal = NULL, proven = NULL,"
                " last_verified_at = NULL, compared_at = NULL, compared_by = NULL"
                " WHERE id = %s AND fence = %s",
                [self.stream_id, self.fence],
            )

    @asynccontextmanager
    async def lane(self) -> AsyncIterator[AsyncConnection]:
        """A database connection for `committing`, which ends its transactions itself."""
        async with self.db.pool.connection() as conn:
            yield conn

    async def log(self, message: str, level: str = "info") -> None:
        async with self.db.connection() as conn:
            await conn.execute(
                "INSERT INTO bascule.run_logs (run_id, level, message) VALUES (%s, %s, %s)",
                [self.run_id, level, message],
            )
            await self._tell(conn, "log")

    async def saw(self, page: Page) -> None:
        """Count a page that is only compared."""
        async with self.lane() as conn, self.committing(conn) as tally:
            tally.saw(page)

    async def tell_columns(self, tables: Tables) -> None:
        """Say what became of the tables' columns, each change once."""
        for line in tables.told:
            await self.log(line, "warning")
        if lost := [field for field in tables.gone if field not in self.cursor.gone]:
            await self.log(f"No longer on the site, kept here as they were: {', '.join(lost)}")
        self.cursor.gone = tables.gone

    async def expect(self, rows: int | None) -> None:
        """Tell how many rows this run has still to read, for those who watch it."""
        async with self.db.connection() as conn:
            await conn.execute(
                "UPDATE bascule.runs SET expected_rows = rows_read + %s WHERE id = %s",
                [rows, self.run_id],
            )
            await self._tell(conn, "run", outcome="running")

    async def site_clock(self, page: Page | None = None) -> datetime:
        """The site's local time: from a page's Date header where it had one, else by asking."""
        served_at = page.served_at if page is not None else None
        if served_at is not None and self.connection.time_zone:
            zone = ZoneInfo(self.connection.time_zone)
            return served_at.astimezone(zone).replace(tzinfo=None)
        return await self.site.clock()


def hub_clock() -> datetime:
    return datetime.now(UTC)

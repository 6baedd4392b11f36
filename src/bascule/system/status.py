"""Collects the status of the hub: database, processes, queue, certificate. Asks no site."""

import asyncio
import shutil
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import AsyncConnection
from sqlalchemy import func, select

from bascule import __version__
from bascule.accounts.tables import User
from bascule.connections.sharing import seen_by
from bascule.connections.tables import Connection
from bascule.connections.worker_attention import held_by
from bascule.hub import Hub
from bascule.jobs.processes import processes_alive
from bascule.jobs.queue_status import backlog_of, queue_of
from bascule.sync.tables import Outbox, TwoWay
from bascule.system.certificate import certificate_of
from bascule.system.release_notes import news
from bascule.system.schemas import (
    BacklogAnswer,
    CertificateAnswer,
    DatabaseAnswer,
    NewsAnswer,
    ProcessAnswer,
    SchemaSize,
    SystemAnswer,
    UnsentAnswer,
)

PRIVATE = "(private)"  # stands for the schemas of others' private connections
PATIENCE = 5.0  # seconds to measure the sizes of all tables
_SIZES = """
SELECT n.nspname, sum(pg_total_relation_size(c.oid))::bigint
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
 GROUP BY 1 HAVING sum(pg_total_relation_size(c.oid)) > 0 ORDER BY 2 DESC"""


async def look(hub: Hub, viewer: User | None) -> SystemAnswer:
    """Names only connections that `viewer` may see; None is the machine's owner, who sees all."""
    certificate = asyncio.create_task(certificate_of(hub))
    async with hub.db.connection() as conn:
        queue = await queue_of(conn, hub.settings.worker_concurrency)
        backlog = await backlog_of(conn, hub.settings.worker_concurrency)
        processes = await processes_alive(conn)
    async with hub.db.session() as session:
        query = select(Connection.slug, Connection.name, seen_by(viewer))
        connections = [(row[0], row[1], bool(row[2])) for row in await session.execute(query)]
    database = await _database(hub, connections)
    async with hub.db.session() as session:
        held = await held_by(session, viewer, queue.holders)
        oldest, records = (
            await session.execute(
                select(func.min(Outbox.at), func.count(func.distinct(Outbox.record_id)))
                .join(TwoWay, TwoWay.id == Outbox.two_way_id)
                .where(TwoWay.status == "on")
            )
        ).one()
    found = await certificate
    return SystemAnswer(
        at=datetime.now(UTC),
        version=NewsAnswer(version=__version__, changes=news()),
        database=database,
        processes=[ProcessAnswer.model_validate(one) for one in processes],
        worker_alive=queue.worker_alive,
        worker_at=queue.worker_at,
        queue=[
            BacklogAnswer(
                work=one.work.name.lower(),
                waiting=one.waiting,
                oldest_at=one.oldest_at,
                running=one.running,
            )
            for one in backlog
        ],
        holders=held,
        unsent=UnsentAnswer(records=records, oldest_at=oldest),
        certificate=CertificateAnswer.model_validate(found) if found else None,
    )


async def _database(hub: Hub, connections: list[tuple[str, str, bool]]) -> DatabaseAnswer:
    """Sizes are left out where many thousand tables take too long to measure.

    `connections` holds slug, name, and whether the viewer may see it.
    """
    total: int | None = None
    sizes: list[tuple[str, int]] = []
    async with hub.db.connection() as conn:
        number = conn.info.server_version
        try:
            total, sizes = await _sizes(conn)
        except psycopg.errors.QueryCanceled:
            await conn.rollback()
    hidden = {slug for slug, _, seen in connections if not seen}
    names = {slug: name for slug, name, seen in connections if seen}
    unseen = sum(size for name, size in sizes if name in hidden)
    sizes = [(name, size) for name, size in sizes if name not in hidden]
    sizes += [(PRIVATE, unseen)] if unseen else []
    disk = None if hub.settings.database_url else shutil.disk_usage(hub.settings.data_dir)
    return DatabaseAnswer(
        kind="own" if hub.settings.database_url else "embedded",
        version=f"{number // 10_000}.{number % 10_000}",
        bytes=total,
        disk_free_bytes=disk.free if disk else None,
        disk_bytes=disk.total if disk else None,
        schemas=[
            SchemaSize(name=name, connection=names.get(name), bytes=size) for name, size in sizes
        ],
    )


async def _sizes(conn: AsyncConnection[Any]) -> tuple[int, list[tuple[str, int]]]:
    await conn.execute(f"SET LOCAL statement_timeout = {int(PATIENCE * 1000)}".encode())
    row = await (await conn.execute("SELECT pg_database_size(current_database())")).fetchone()
    sizes = await (await conn.execute(_SIZES)).fetchall()
    await conn.execute("SET LOCAL statement_timeout = 0")
    return (int(row[0]) if row else 0), [(str(name), int(size)) for name, size in sizes]

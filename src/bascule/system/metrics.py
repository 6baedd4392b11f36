"""`GET /metrics`: the hub's status and the counters of all processes, in Prometheus' format.

BASCULE_METRICS_TOKEN opens this route and nothing else.
"""

import hmac
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.security import HTTPAuthorizationCredentials
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from sqlalchemy import select

from bascule.accounts.access import Require, TheHub, bearer, refuse_without, require_user
from bascule.accounts.tables import User
from bascule.connections.sharing import seen_by
from bascule.connections.tables import Connection
from bascule.jobs.processes import counts_of_all, write_counts
from bascule.system.permissions import SYSTEM_READ
from bascule.system.schemas import SystemAnswer
from bascule.system.status import look
from bascule.telemetry import COUNTED

router = APIRouter(include_in_schema=False)
_MIRRORS = """
SELECT c.slug, (c.health = 'ok')::int,
       count(*) FILTER (WHERE s.enabled AND s.last_error IS NOT NULL),
       extract(epoch FROM now() - min(s.last_success_at) FILTER (WHERE s.enabled))
  FROM bascule.connections c LEFT JOIN bascule.streams s ON s.connection_id = c.id
 GROUP BY 1, 2 ORDER BY 1"""
_OPEN = """
SELECT (SELECT count(*) FROM bascule.conflicts WHERE settled_at IS NULL),
       (SELECT count(*) FROM bascule.deliveries WHERE state = 'kept')"""


class Scraper(Require):
    """Who may read the system; None: who has the token for metrics, and is told of every
    connection.
    """

    async def __call__(  # type: ignore[override]
        self,
        request: Request,
        hub: TheHub,
        credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    ) -> User | None:
        token = hub.settings.metrics_token
        given = credentials.credentials.encode() if credentials else b""
        if token is not None and hmac.compare_digest(given, token.get_secret_value().encode()):
            return None
        user = await require_user(request, hub, credentials)
        refuse_without(self.permission, user)
        return user


scraper = Scraper(SYSTEM_READ)


@router.get("/metrics")
async def metrics(hub: TheHub, viewer: Annotated[User | None, Depends(scraper)]) -> Response:
    """Gauges of now, and counters of all processes since the hub was set up."""
    await write_counts(hub)
    system = await look(hub, viewer)
    async with hub.db.session() as session:
        slugs = set(await session.scalars(select(Connection.slug).where(seen_by(viewer))))
    async with hub.db.connection() as conn:
        families: list[Metric] = [*_of_the_system(system)]
        families += await _of_the_work(conn, slugs)
        families += await _counted(conn, slugs)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Ready(families))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


class Ready(Collector):
    """Families that are made already."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        yield from self._families


def _gauge(name: str, about: str, value: float | None) -> GaugeMetricFamily:
    made = GaugeMetricFamily(f"bascule_{name}", about)
    if value is not None:
        made.add_metric([], value)
    return made


def _since(moment: datetime | None) -> float:
    """Seconds since then; 0 for None."""
    return (datetime.now(UTC) - moment).total_seconds() if moment else 0.0


def _of_the_system(system: SystemAnswer) -> Iterator[GaugeMetricFamily]:
    info = GaugeMetricFamily("bascule_info", "The version.", labels=["version"])
    info.add_metric([system.version.version], 1)
    yield info
    yield _gauge("worker_alive", "Whether a worker was heard of lately.", system.worker_alive)
    memory = GaugeMetricFamily(
        "bascule_process_resident_bytes",
        "Memory of each process that was heard of lately.",
        labels=["host", "pid", "roles"],
    )
    for process in system.processes:
        labels = [process.host, str(process.pid), "+".join(process.roles)]
        memory.add_metric(labels, process.rss_bytes or float("nan"))
    yield memory
    waiting, running, oldest = (
        GaugeMetricFamily(f"bascule_queue_{name}", about, labels=["work"])
        for name, about in (
            ("waiting", "Jobs that would begin at once if a place were free."),
            ("running", "Jobs that hold a place."),
            ("oldest_seconds", "For how long the first of them has waited."),
        )
    )
    for one in system.queue:
        waiting.add_metric([one.work], one.waiting)
        running.add_metric([one.work], one.running)
        oldest.add_metric([one.work], _since(one.oldest_at))
    yield from (waiting, running, oldest)
    unsent = system.unsent
    yield _gauge("unsent_records", "Records with an edit that is not sent.", unsent.records)
    yield _gauge("unsent_oldest_seconds", "Age of the oldest such edit.", _since(unsent.oldest_at))
    yield _gauge("database_bytes", "Size of the database.", system.database.bytes)
    free = system.database.disk_free_bytes
    yield _gauge("disk_free_bytes", "Free on the embedded database's disk.", free)
    ends = system.certificate.ends_at if system.certificate else None
    yield _gauge(
        "certificate_end_timestamp_seconds",
        "When the certificate of the public address ends.",
        ends.timestamp() if ends else None,
    )


async def _of_the_work(conn: AsyncConnection[TupleRow], slugs: set[str]) -> list[GaugeMetricFamily]:
    healthy, failing, lag = (
        GaugeMetricFamily(f"bascule_{name}", about, labels=["connection"])
        for name, about in (
            ("connection_healthy", "Whether the site lets the hub in, as far as is known."),
            ("streams_failing", "Streams whose last run failed."),
            ("lag_seconds", "Since the stream that is furthest behind was last equal to its site."),
        )
    )
    for slug, is_healthy, many, seconds in await (await conn.execute(_MIRRORS)).fetchall():
        if slug not in slugs:
            continue
        healthy.add_metric([slug], is_healthy or 0)
        failing.add_metric([slug], many)
        if seconds is not None:
            lag.add_metric([slug], float(seconds))
    row = await (await conn.execute(_OPEN)).fetchone()
    conflicts, deliveries = row if row else (None, None)
    return [
        *(healthy, failing, lag),
        _gauge("conflicts_open", "Fields that wait for somebody's decision.", conflicts),
        _gauge("deliveries_waiting", "Webhooks that are kept and not done with.", deliveries),
    ]


async def _counted(conn: AsyncConnection[TupleRow], slugs: set[str]) -> list[CounterMetricFamily]:
    families = {
        name: CounterMetricFamily(f"bascule_{name}", about, labels=list(labels))
        for name, (about, labels) in COUNTED.items()
    }
    for name, labels, value in await counts_of_all(conn):
        family = families.get(name)
        if family is None:
            continue  # counted by another version
        known = COUNTED[name][1]
        if len(known) == len(labels) and ("connection" not in known or labels[0] in slugs):
            family.add_metric(labels, value)
    return list(families.values())

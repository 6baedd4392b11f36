"""Is the hub well? The one route without a token, so it tells nothing but that."""

import asyncio
import logging
from datetime import datetime
from typing import Literal

import psycopg
from fastapi import APIRouter, Response
from psycopg_pool import PoolClosed, PoolTimeout
from pydantic import BaseModel, ConfigDict, Field

from bascule import __version__
from bascule.accounts.access import TheHub
from bascule.hub import Hub
from bascule.jobs.queue_status import LATELY, Queue, queue_of

log = logging.getLogger(__name__)
router = APIRouter(tags=["Health"])
PATIENCE = 3.0  # seconds; who asks for health wants an answer, also when there is none


class DatabaseHealth(BaseModel):
    reachable: bool
    kind: Literal["embedded", "own"] = Field(description="The hub's own server, or yours.")


class WorkerHealth(BaseModel):
    alive: bool = Field(description=f"A worker was seen in the last {LATELY:.0f} seconds.")
    seen_at: datetime | None


class QueueHealth(BaseModel):
    waiting: int = Field(description="Jobs that would begin at once if a worker had a place free.")
    oldest_at: datetime | None = Field(description="Since when the one waits that waits longest.")
    oldest_seconds: float | None = Field(description="For how long it has waited.")
    running: int = Field(description="Jobs that hold a place; an admin sees whose they are.")


class Health(BaseModel):
    """ok; degraded: no worker is there to sync, or something has waited for one for more than ten
    minutes; down: the database cannot be reached.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "status": "ok",
                "version": __version__,
                "database": {"reachable": True, "kind": "embedded"},
                "worker": {"alive": True, "seen_at": "2026-11-20T22:48:17Z"},
                "queue": {"waiting": 0, "oldest_at": None, "oldest_seconds": None, "running": 2},
            }
        }
    )

    status: Literal["ok", "degraded", "down"]
    version: str
    database: DatabaseHealth
    worker: WorkerHealth
    queue: QueueHealth | None = Field(description="null: the database cannot be reached.")


@router.get("/health", responses={503: {"model": Health, "description": "The database is gone."}})
async def health(hub: TheHub, response: Response) -> Health:
    """Whether the hub can work: its database answers. Whether a worker lives, and what waits for
    one, stands beside.
    """
    kind: Literal["embedded", "own"] = "own" if hub.settings.database_url else "embedded"
    try:
        queue = await _look(hub)
    except (psycopg.Error, PoolTimeout, PoolClosed, TimeoutError, OSError) as error:
        log.warning("The database did not answer: %s", type(error).__name__)
        response.status_code = 503
        return Health(
            status="down",
            version=__version__,
            database=DatabaseHealth(reachable=False, kind=kind),
            worker=WorkerHealth(alive=False, seen_at=None),
            queue=None,
        )
    return Health(
        status="ok" if queue.worker_alive and not queue.stands else "degraded",
        version=__version__,
        database=DatabaseHealth(reachable=True, kind=kind),
        worker=WorkerHealth(alive=queue.worker_alive, seen_at=queue.worker_at),
        queue=QueueHealth(
            waiting=queue.waiting,
            oldest_at=queue.oldest_at,
            oldest_seconds=queue.oldest_seconds,
            running=sum(holder.places for holder in queue.holders),
        ),
    )


class Pulse:
    """One look at a time, for all who ask meanwhile: asking costs the database nothing more."""

    def __init__(self) -> None:
        self.looking: asyncio.Task[Queue] | None = None


async def _look(hub: Hub) -> Queue:
    pulse: Pulse = hub.shared.setdefault(Pulse, Pulse())
    if pulse.looking is None or pulse.looking.done():
        pulse.looking = asyncio.create_task(_look_soon(hub))
    return await asyncio.shield(pulse.looking)


async def _look_soon(hub: Hub) -> Queue:
    async with asyncio.timeout(PATIENCE), hub.db.pulse.connection() as conn:
        return await queue_of(conn, hub.settings.worker_concurrency)

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

log = logging.getLogger(__name__)
router = APIRouter(tags=["Health"])
PATIENCE = 3.0  # seconds; who asks for health wants an answer, also when there is none
LATELY = 30.0  # seconds; a worker's heart beats every 5


class DatabaseHealth(BaseModel):
    reachable: bool
    kind: Literal["embedded", "own"] = Field(description="The hub's own server, or yours.")


class WorkerHealth(BaseModel):
    alive: bool = Field(description=f"A worker was seen in the last {LATELY:.0f} seconds.")
    seen_at: datetime | None


class Health(BaseModel):
    """ok; degraded: no worker is there to sync; down: the database cannot be reached."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "status": "ok",
                "version": __version__,
                "database": {"reachable": True, "kind": "embedded"},
                "worker": {"alive": True, "seen_at": "2026-11-20T22:48:17Z"},
            }
        }
    )

    status: Literal["ok", "degraded", "down"]
    version: str
    database: DatabaseHealth
    worker: WorkerHealth


@router.get("/health", responses={503: {"model": Health, "description": "The database is gone."}})
async def health(hub: TheHub, response: Response) -> Health:
    """Whether the hub can work: its database answers; whether a worker lives stands beside."""
    kind: Literal["embedded", "own"] = "own" if hub.settings.database_url else "embedded"
    try:
        seen_at, alive = await _look(hub)
    except (psycopg.Error, PoolTimeout, PoolClosed, TimeoutError, OSError) as error:
        log.warning("The database did not answer: %s", type(error).__name__)
        response.status_code = 503
        return Health(
            status="down",
            version=__version__,
            database=DatabaseHealth(reachable=False, kind=kind),
            worker=WorkerHealth(alive=False, seen_at=None),
        )
    return Health(
        status="ok" if alive else "degraded",
        version=__version__,
        database=DatabaseHealth(reachable=True, kind=kind),
        worker=WorkerHealth(alive=alive, seen_at=seen_at),
    )


class Pulse:
    """One look at a time, for all who ask meanwhile: asking costs the database nothing more."""

    def __init__(self) -> None:
        self.looking: asyncio.Task[tuple[datetime | None, bool]] | None = None


async def _look(hub: Hub) -> tuple[datetime | None, bool]:
    pulse: Pulse = hub.shared.setdefault(Pulse, Pulse())
    if pulse.looking is None or pulse.looking.done():
        pulse.looking = asyncio.create_task(_last_heartbeat_soon(hub))
    return await asyncio.shield(pulse.looking)


async def _last_heartbeat_soon(hub: Hub) -> tuple[datetime | None, bool]:
    async with asyncio.timeout(PATIENCE):
        return await last_heartbeat(hub)


async def last_heartbeat(hub: Hub) -> tuple[datetime | None, bool]:
    async with hub.db.pulse.connection() as conn:
        found = await conn.execute(
            "SELECT max(last_heartbeat),"
            " coalesce(max(last_heartbeat) > now() - %s * interval '1 s', false)"
            " FROM procrastinate_workers",
            [LATELY],
        )
        row = await found.fetchone()
    return row if row is not None else (None, False)

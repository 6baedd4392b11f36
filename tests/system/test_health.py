"""Health tells the truth, also when the database goes and when it comes back."""

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import text

from bascule.settings import Settings
from bascule.store.database import SESSIONS
from tests.kit.api import Api
from tests.kit.database import FreshSettings
from tests.kit.hub import RunningHub
from tests.kit.waiting import until


class Wire:
    """The way to the database, which can be cut and mended."""

    def __init__(self, host: str, port: str) -> None:
        self.host, self.port = host, port
        self.loop = asyncio.new_event_loop()
        self.ends: set[asyncio.StreamWriter] = set()
        self.whole = True
        self.started = threading.Event()
        self.thread = threading.Thread(target=self.loop.run_until_complete, args=[self._live()])

    def __enter__(self) -> "Wire":
        self.thread.start()
        assert self.started.wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        self.loop.call_soon_threadsafe(self.stop.set)
        self.thread.join(10)

    def cut(self) -> None:
        self.whole = False
        for end in list(self.ends):
            self.loop.call_soon_threadsafe(end.close)

    def mend(self) -> None:
        self.whole = True

    async def _live(self) -> None:
        self.stop = asyncio.Event()
        server = await asyncio.start_server(self._join, "127.0.0.1", 0)
        self.listens_on = server.sockets[0].getsockname()[1]
        self.started.set()
        await self.stop.wait()
        server.close()

    async def _join(self, asked: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        if not self.whole:
            answers.close()
            return
        if self.host.startswith("/"):
            path = f"{self.host}/.s.PGSQL.{self.port}"
            reader, writer = await asyncio.open_unix_connection(path)
        else:
            reader, writer = await asyncio.open_connection(self.host, int(self.port))
        self.ends |= {answers, writer}
        if not self.whole:  # it was cut meanwhile
            answers.close()
            writer.close()
        await asyncio.gather(_pour(asked, writer), _pour(reader, answers))
        self.ends -= {answers, writer}


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


@pytest.fixture
def wire(running_hub: RunningHub) -> Iterator[Wire]:
    known = conninfo_to_dict(running_hub.hub.db.url)
    with Wire(str(known["host"]), str(known.get("port", "5432"))) as wire:
        yield wire


@pytest.fixture
def wired_hub(running_hub: RunningHub, wire: Wire, tmp_path: Path) -> Iterator[RunningHub]:
    known = conninfo_to_dict(running_hub.hub.db.url)
    known |= {"host": "127.0.0.1", "port": str(wire.listens_on)}
    settings = Settings.model_validate(
        {"data_dir": tmp_path, "database_url": f"postgresql:///?{urlencode(known)}"}
    )
    with RunningHub(settings, worker=False) as running:
        yield running
        wire.mend()


def test_health_tells_of_database_and_worker_and_of_nothing_else(stranger: Api) -> None:
    def fine() -> Any:
        told = stranger.get("/health").json
        return told if told["status"] == "ok" else None

    health = until(fine)
    assert health["database"] == {"reachable": True, "kind": "own"}
    assert health["worker"]["alive"] is True
    assert set(health) == {"status", "version", "database", "worker", "queue"}
    assert set(health["queue"]) == {"waiting", "oldest_at", "oldest_seconds", "running"}


def test_a_hub_that_brings_its_own_database_says_so_and_that_no_worker_is_there(
    open_folder: Path,
) -> None:
    settings = Settings.model_validate({"data_dir": open_folder})
    with RunningHub(settings, worker=False) as running:
        health = Api(running.url, None).get("/health").json
    assert health["database"] == {"reachable": True, "kind": "embedded"}
    assert health["status"] == "degraded"
    assert health["worker"] == {"alive": False, "seen_at": None}


def test_a_database_that_is_gone_is_told_and_found_again(wired_hub: RunningHub, wire: Wire) -> None:
    api = Api(wired_hub.url, wired_hub.token)
    assert api.get("/health").json["database"] == {"reachable": True, "kind": "own"}
    wire.cut()
    gone = api.get("/health")
    assert gone.status == 503
    assert gone.json["status"] == "down"
    refused = api.get("/api/connectors")
    assert refused.status == 503
    assert "doctor" in refused.json["next_step"]
    assert refused.headers["retry-after"]
    wire.mend()
    until(lambda: api.get("/health").status == 200)
    until(lambda: api.get("/api/connectors").status == 200)


def test_a_database_that_was_away_for_long_is_back_at_the_first_asking(
    wired_hub: RunningHub, wire: Wire
) -> None:
    """Each time that it is asked in vain the hub waits no longer for the next."""
    api = Api(wired_hub.url, wired_hub.token)
    until(lambda: api.get("/api/connectors").status == 200)
    wire.cut()
    since = time.monotonic()
    while time.monotonic() - since < 18:
        assert api.get("/health").status == 503
        time.sleep(0.2)
    wire.mend()
    asked = [api.get("/health").status for _ in range(5)]
    assert 200 in asked[:2], asked  # the first may have been under way
    assert asked[2:] == [200] * 3
    assert 200 in [api.get("/api/connectors").status for _ in range(2)]


def test_health_waits_for_nothing_that_the_hub_does(wired_hub: RunningHub) -> None:
    """Whatever holds all connections of the hub: it is well, and says so."""
    api = Api(wired_hub.url, wired_hub.token)
    pool = wired_hub.hub.db.pool

    async def take_all() -> list[Any]:
        return [await pool.getconn() for _ in range(pool.max_size)]

    async def give_back(taken: list[Any]) -> None:
        for connection in taken:
            await pool.putconn(connection)

    taken = wired_hub.run(take_all())
    try:
        assert api.get("/health").status == 200
    finally:
        wired_hub.run(give_back(taken))


@pytest.fixture
def alone(fresh_settings: FreshSettings) -> Iterator[RunningHub]:
    with fresh_settings() as settings, RunningHub(settings, worker=False) as running:
        yield running


def test_who_gets_no_connection_of_the_pool_is_told_to_come_again(alone: RunningHub) -> None:
    """And not that the hub has a fault."""
    api, db = Api(alone.url, alone.token), alone.hub.db
    pool: Any = db.engine.sync_engine.pool
    held = asyncio.Event()

    async def hold_all(ready: list[Future[None]]) -> None:
        async def hold(one: Future[None]) -> None:
            async with db.session() as session:
                await session.execute(text("SELECT 1"))
                one.set_result(None)
                await held.wait()

        await asyncio.gather(*(hold(one) for one in ready))

    places: list[Future[None]] = [Future() for _ in range(SESSIONS)]
    patience, pool._timeout = pool._timeout, 0.5
    holding = asyncio.run_coroutine_threadsafe(hold_all(places), alone.loop)
    try:
        for one in places:
            one.result(30)
        answer = api.get("/api/customers")
        assert answer.status == 503, answer
        assert answer.headers["retry-after"] == "5"
        assert "more to do at once than it can" in answer.json["detail"]
    finally:
        pool._timeout = patience
        alone.loop.call_soon_threadsafe(held.set)
        holding.result(30)
    assert api.get("/api/customers").status == 200

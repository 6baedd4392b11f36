"""A hub that answers over real HTTP, with a worker, over a real PostgreSQL."""

import asyncio
import threading
from collections.abc import Awaitable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AsyncExitStack
from typing import Any, Literal, TypeVar
from uuid import uuid4

import psycopg
import pytest

from bascule.accounts.allowed_sites.allowlist import allow
from bascule.accounts.people import users
from bascule.accounts.tokens import issue_token
from bascule.app import create_app
from bascule.hub import Hub, open_hub
from bascule.job_modules import JOB_MODULES
from bascule.jobs import load, run_worker
from bascule.serving import serving
from bascule.settings import Settings
from bascule.telemetry import count_apart
from tests.kit.api import Api
from tests.kit.database import FreshSettings

Scope = Literal["session", "package", "module", "class", "function"]
T = TypeVar("T")


class RunningHub:
    """The hub in a thread of its own, so that tests speak to it as strangers do."""

    def __init__(self, settings: Settings, *, worker: bool = True) -> None:
        self.settings, self.worker = settings, worker
        self.loop = asyncio.new_event_loop()
        self.ready: Future[str] = Future()
        self.thread = threading.Thread(target=self.loop.run_until_complete, args=[self._live()])

    def __enter__(self) -> "RunningHub":
        self.thread.start()
        self.url = self.ready.result(180)
        self.token = self.run(self._token())
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self.stop.set)
        self.thread.join(60)
        assert not self.thread.is_alive()

    @property
    def api(self) -> Api:
        """An admin's program."""
        return Api(self.url, self.token)

    def run(self, asking: Awaitable[T]) -> T:
        async def asked() -> T:
            return await asking

        return asyncio.run_coroutine_threadsafe(asked(), self.loop).result(60)

    async def _live(self) -> None:
        self.stop = asyncio.Event()
        count_apart()  # other hubs live in this process, and would take what this one counted
        try:
            async with AsyncExitStack() as stack:
                self.hub: Hub = await stack.enter_async_context(open_hub(self.settings))
                app = create_app(hub=self.hub)
                url = await stack.enter_async_context(serving(app, "127.0.0.1", 0))
                working = asyncio.create_task(self._work())
                self.ready.set_result(url)
                await self.stop.wait()
                await working
        except BaseException as error:
            if self.ready.done():
                raise
            self.ready.set_exception(error)

    async def _work(self) -> None:
        if self.worker:
            load(JOB_MODULES)
            await run_worker(self.hub, concurrency=4, until=self.stop)

    def somebody(self, role: str) -> Api:
        """A new person of this role, who asks."""

        async def made() -> str:
            async with self.hub.db.session() as session:
                user, _ = await users.invite(session, f"{role}-{uuid4().hex[:8]}", role=role)
                return await issue_token(session, "tests", user)

        return Api(self.url, self.run(made()))

    def allow(self, url: str) -> None:
        """An admin lets editors connect to an address of the hub's own machine."""

        async def allowed() -> None:
            async with self.hub.db.session() as session:
                await allow(session, url, None)

        self.run(allowed())

    def sql(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Asks the hub's database beside the hub: to look, and to let time pass in it."""
        url = self.settings.database_url
        assert url is not None
        with psycopg.connect(url.get_secret_value(), autocommit=True) as conn:
            found = conn.execute(statement.encode(), values)
            return found.fetchall() if found.description else []

    async def _token(self) -> str:
        async with self.hub.db.session() as session:
            return await issue_token(session, "tests")


def hub_fixture(scope: Scope, *, worker: bool = True, **given: Any) -> Any:
    """A fixture: one hub for all tests of this scope. `given`: its settings."""

    @pytest.fixture(scope=scope)
    def running_hub(fresh_settings: FreshSettings) -> Iterator[RunningHub]:
        with fresh_settings(**given) as settings, RunningHub(settings, worker=worker) as running:
            yield running

    return running_hub

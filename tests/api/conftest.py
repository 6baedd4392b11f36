"""A hub that answers over real HTTP, with a worker, over a real PostgreSQL; and who asks it."""

import asyncio
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit
from uuid import uuid4

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
from databases import FreshSettings


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Api:
    """Someone who asks the hub, with a token or with None."""

    url: str
    token: str | None

    def ask(
        self, method: str, path: str, body: Any = None, *, raw: bytes | None = None, **query: Any
    ) -> Answer:
        to = urlsplit(self.url)
        asking = http.client.HTTPConnection(to.hostname or "", to.port, timeout=180)
        headers = {"Authorization": f"Bearer {self.token}"} if self.token is not None else {}
        if body is not None or raw is not None:
            headers["Content-Type"] = "application/json"
            raw = json.dumps(body).encode() if raw is None else raw
        try:
            asked = quote(path, safe="/?&=%:+") + (f"?{urlencode(query)}" if query else "")
            asking.request(method, asked, raw, headers)
            got = asking.getresponse()
            told = {name.lower(): value for name, value in got.getheaders()}
            return Answer(got.status, told, got.read())
        finally:
            asking.close()

    def get(self, path: str, **query: Any) -> Answer:
        return self.ask("GET", path, **query)

    def post(self, path: str, body: Any = None) -> Answer:
        return self.ask("POST", path, body)

    def patch(self, path: str, body: Any) -> Answer:
        return self.ask("PATCH", path, body)

    def delete(self, path: str, **query: Any) -> Answer:
        return self.ask("DELETE", path, **query)


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

    def run(self, asking: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(asking, self.loop).result(60)

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

    async def _token(self) -> str:
        async with self.hub.db.session() as session:
            return await issue_token(session, "tests")


def address(known: Mapping[str, Any]) -> str:
    """libpq takes everything after the question mark."""
    return f"postgresql:///?{urlencode(known)}"


@pytest.fixture(scope="session")
def running_hub(
    fresh_settings: FreshSettings,
) -> Iterator[RunningHub]:
    """One for all tests of this folder; each makes connectors of its own in it."""
    with fresh_settings() as settings, RunningHub(settings) as running:
        yield running


@pytest.fixture
def api(running_hub: RunningHub) -> Api:
    return Api(running_hub.url, running_hub.token)


@pytest.fixture
def stranger(running_hub: RunningHub) -> Api:
    return Api(running_hub.url, None)


@pytest.fixture
def connect(api: Api, erpnext_sandbox: Any) -> Iterator[Callable[..., Any]]:
    """Connects the sandbox, under a name of its own, and takes it away again."""
    made: list[str] = []

    def setup(**values: Any) -> Any:
        body = {
            "name": f"Acme {uuid4().hex[:8]}",
            "api_url": erpnext_sandbox.url,
            "api_key": erpnext_sandbox.api_key,
            "api_secret": erpnext_sandbox.api_secret,
            "schedule": "manual",
            "start_sync": False,
            **values,
        }
        answer = api.post("/api/connectors/erpnext/setup", body)
        assert answer.status == 201, answer.body
        made.append(answer.json["id"])
        return answer.json

    yield setup
    for connector in made:
        assert api.delete(f"/api/connectors/{connector}").status in (200, 404)


@pytest.fixture
def finished(api: Api) -> Callable[[list[int]], list[Any]]:
    """Waits for runs to end."""

    def wait(run_ids: list[int]) -> list[Any]:
        give_up = time.monotonic() + 120
        while time.monotonic() < give_up:
            runs = [api.get(f"/api/runs/{number}").json for number in run_ids]
            if all(run["outcome"] in ("done", "failed") for run in runs):
                return runs
            time.sleep(0.1)
        raise AssertionError(f"these runs did not end: {runs}")

    return wait

"""The site behind HTTP: `Sandbox` within a program's own event loop, `SandboxThread` beside it."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, cast

from aiohttp import web
from multidict import CIMultiDict

from bascule.sandbox.apps import open_site
from bascule.sandbox.controls import Controls
from bascule.sandbox.core.access.permissions import User
from bascule.sandbox.core.http.answers import Ask
from bascule.sandbox.core.http.api import Api
from bascule.sandbox.core.site import Site
from bascule.sandbox.core.snapshot import Snapshot
from bascule.sandbox.core.webhooks.queue import Deliveries
from bascule.sandbox.faults import Faults

if TYPE_CHECKING:
    from aiohttp.typedefs import Middleware

_LARGEST_BODY = 25 * 1024**2
_LONGEST_LINE = 1024**2


@dataclass
class Running:
    """A site that answers: where, to whom, and what spoils its answers."""

    url: str
    users: dict[str, User]
    faults: Faults
    site: Site = field(repr=False)
    deliveries: Deliveries = field(repr=False)

    @property
    def _hub(self) -> User:
        return self.users.get("hub") or next(iter(self.users.values()))

    @property
    def api_key(self) -> str:
        return self._hub.api_key

    @property
    def api_secret(self) -> str:
        return self._hub.api_secret


class Sandbox:
    """A site made from a snapshot, which stays as it was."""

    def __init__(self, snapshot: Snapshot, *, webhook_patience: float = 1.0) -> None:
        """`webhook_patience` stretches the waits between a failing webhook's three tries."""
        self._snapshot = snapshot
        self._patience = webhook_patience

    @asynccontextmanager
    async def serve(self, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[Running]:
        """Answers within the block; port 0 lets the system choose. OSError if it is taken."""
        site = open_site(self._snapshot)
        faults = Faults(site.clock, site.permissions.user_of)
        api = Api(site)
        deliveries = Deliveries(site, self._patience)

        async def handle(request: web.Request) -> web.Response:
            body = await request.read()
            path, _, query = request.raw_path.partition("?")
            headers = {name.lower(): value for name, value in request.headers.items()}
            answer = api.answer(Ask(request.method, path, query, headers, body))
            deliveries.add(answer.webhooks)
            told = {"Content-Type": answer.content_type}
            told |= {"Location": answer.moved} if answer.moved else {}
            headers_out = CIMultiDict(told)
            for cookie in answer.cookies:
                headers_out.add("Set-Cookie", cookie)
            return web.Response(status=answer.status, body=answer.body, headers=headers_out)

        app = web.Application(
            middlewares=[cast("Middleware", faults.middleware)], client_max_size=_LARGEST_BODY
        )
        app.add_routes(faults.routes())
        app.add_routes(Controls(site).routes())
        app.router.add_route("*", "/{path:.*}", handle)
        runner = web.AppRunner(
            app,
            access_log=None,
            shutdown_timeout=1.0,
            max_line_size=_LONGEST_LINE,
            max_field_size=_LONGEST_LINE,
        )
        await runner.setup()
        worker = asyncio.create_task(deliveries.run())
        try:
            listener = web.TCPSite(runner, host, port)
            await listener.start()
            bound = runner.addresses[0][1]
            yield Running(f"http://{host}:{bound}", site.users, faults, site, deliveries)
        finally:
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)
            await runner.cleanup()
            site.close()


class SandboxThread:
    """The same in a thread of its own, for programs that are not asynchronous."""

    def __init__(self, snapshot: Snapshot, *, webhook_patience: float = 1.0) -> None:
        self._sandbox = Sandbox(snapshot, webhook_patience=webhook_patience)
        self._ready = threading.Event()
        self._running: Running | None = None
        self._error: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="sandbox", daemon=True)

    def __enter__(self) -> Running:
        self._thread.start()
        self._ready.wait()
        if self._running is None:
            raise RuntimeError("The sandbox did not start.") from self._error
        return self._running

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:
            self._error = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with self._sandbox.serve() as running:
            self._running = running
            self._ready.set()
            await self._stop.wait()

"""The application: the rooms' routers over one hub, behind one door.

What a route does is its room's; how a refusal looks is `refusals`'; docs/api.md is `reference`'s.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, nullcontext, suppress

import uvicorn
from fastapi import Depends, FastAPI, HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bascule import __version__, refusals
from bascule.accounts.access import needs, require_user
from bascule.accounts.tokens import ensure_admin
from bascule.declared import OPEN_RESPONSES, RESPONSES, DeclaredApi
from bascule.events.listening import Live
from bascule.events.recorder import Recorder
from bascule.health import router as health
from bascule.hub import Hub, open_hub
from bascule.inbox.receiving import Door
from bascule.rooms import OPEN_PAGES, OPEN_ROUTERS, PAGES, ROUTERS, SIGNED_ROUTERS
from bascule.settings import Settings, get_settings
from bascule.ui.headers import SecurityHeaders
from bascule.ui.static_files import router as static_files

ABOUT = """Mirrors ERPNext sites into PostgreSQL.

Every route wants `Authorization: Bearer <token>`, but for `/health`, those that sign you in, and
where signed webhooks arrive: `bascule token` prints one, `POST /api/auth/login` gives one for a
name and a password; see [accounts](accounts.md). Viewers read, editors sync and change, admins look
after people and credentials. What cannot be done is answered with `{"detail", "next_step"}`;
`fields` names each value that is wrong. Wherever a connector is named, its slug does as well as its
id.
"""
LARGEST_BODY = 1_000_000  # bytes


def create_app(settings: Settings | None = None, *, hub: Hub | None = None) -> FastAPI:
    """The API over a hub of its own, opened and closed with it, or over one that is open."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with nullcontext(hub) if hub else open_hub(settings or get_settings()) as ours:
            await _move_in(app, ours)
            yield
            await app.state.live.aclose()

    app = DeclaredApi(
        title="Bascule",
        version=__version__,
        description=ABOUT,
        lifespan=lifespan,
        # FastAPI's own pages come from a CDN and cannot send a token; docs/api.md is ours.
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        # A generated client calls its functions by these.
        generate_unique_id_function=lambda route: route.name,
    )
    app.add_middleware(BodyLimit)
    app.add_middleware(Recorder)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(Door)
    for router in SIGNED_ROUTERS:
        app.include_router(router)
    app.include_router(health)
    app.include_router(static_files)
    for router in OPEN_PAGES:
        app.include_router(router)
    for router in PAGES:
        app.include_router(router, dependencies=[Depends(require_user)])
    for router in OPEN_ROUTERS:
        app.include_router(router, responses=OPEN_RESPONSES)
    for router in ROUTERS:
        app.include_router(router, dependencies=[Depends(require_user)], responses=RESPONSES)
    app.add_api_route(
        "/openapi.json",
        app.openapi,
        dependencies=[Depends(needs("viewer"))],
        include_in_schema=False,
    )
    refusals.install(app)
    return app


class BodyLimit:
    """Stops reading a body that is too large; Starlette's own limit would answer in plain text."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > LARGEST_BODY:
                raise HTTPException(413, f"A request may have up to {LARGEST_BODY:,} bytes.")
            return message

        await self.app(scope, counted, send)


async def _move_in(app: FastAPI, hub: Hub) -> None:
    async with hub.db.session() as session:
        await ensure_admin(session)
    app.state.hub, app.state.live = hub, Live(hub.db)


class _Server(uvicorn.Server):
    """uvicorn, without its own idea of signals: who serves decides when to stop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _first_free(host: str, ports: Sequence[int]) -> socket.socket:
    for port in ports[:-1]:
        with suppress(OSError):
            return _listening(host, port)
    return _listening(host, ports[-1])


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named TCP, or asyncio leaves Nagle's algorithm on, and an answer may wait 40 ms for an ACK.
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # elsewhere it would let two programs take one port
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen()  # two that are only bound may have the same
    except OSError:
        made.close()
        raise
    return made


@asynccontextmanager
async def serving(app: FastAPI, host: str, *ports: int) -> AsyncIterator[str]:
    """Listens until the block ends; gives the address. On the first of these ports that is free; 0:
    any. OSError: all of them are taken.
    """
    listening = _first_free(host, ports)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="on",
        timeout_graceful_shutdown=10,
        proxy_headers=False,  # uvicorn believes everybody on loopback; see accounts.origin
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        while not server.started:
            if task.done():
                await task
                raise RuntimeError("The application did not start; its log tells why.")
            await asyncio.sleep(0.01)
        shown = f"[{host}]" if ":" in host else host
        yield f"http://{shown}:{listening.getsockname()[1]}"
    finally:
        if server.started:
            await app.state.live.aclose()  # or uvicorn would wait for streams that never end
        server.should_exit = True
        await task
        listening.close()

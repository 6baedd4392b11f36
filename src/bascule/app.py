"""The application: the rooms' routers over one hub, behind one door.

What a route does is its room's; how a refusal looks is `refusals`'; docs/api.md is `reference`'s.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

from fastapi import Depends, FastAPI, HTTPException
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bascule import __version__, refusals
from bascule.accounts.access import require, require_user
from bascule.accounts.origin import is_https
from bascule.accounts.permissions import DATA_READ
from bascule.accounts.tokens import ensure_admin
from bascule.asked import refuse_unknown
from bascule.audit.middleware import AuditMiddleware
from bascule.declared import OPEN_RESPONSES, RESPONSES, DeclaredApi
from bascule.events.listening import Live
from bascule.health import router as health
from bascule.hub import Hub, open_hub
from bascule.inbox.receiving import WebhookIngestMiddleware
from bascule.job_modules import JOB_MODULES
from bascule.jobs import load
from bascule.jobs.processes import telling
from bascule.rooms import OPEN_PAGES, OPEN_ROUTERS, PAGES, ROUTERS, SIGNED_ROUTERS
from bascule.settings import Settings, get_settings
from bascule.system.metrics import router as metrics
from bascule.ui.headers import SecurityHeaders
from bascule.ui.static_files import router as static_files

ABOUT = """Mirrors ERPNext sites into PostgreSQL.

Every route wants `Authorization: Bearer <token>`, but for `/health`, those that sign you in, and
where signed webhooks arrive: `bascule token` prints one, `POST /api/auth/login` gives one for a
name and a password; see [accounts](accounts.md). Viewers read, editors sync and change, admins look
after people and credentials. An error is `application/problem+json` (RFC 9457): `type`, `title`,
`status`, `detail`, and beside them `next_step`, and `fields`, which names each wrong value.
Wherever a connection is named, its slug does as well as its id.
"""
LARGEST_BODY = 1_000_000  # bytes


def create_app(settings: Settings | None = None, *, hub: Hub | None = None) -> FastAPI:
    """The API over a hub of its own, opened and closed with it, or over one that is open."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with nullcontext(hub) if hub else open_hub(settings or get_settings()) as ours:
            load(JOB_MODULES)  # whose jobs hold which places is told here too
            await _move_in(app, ours)
            async with telling(ours, "web"):
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
    app.add_middleware(AuditMiddleware)
    app.add_middleware(SecurityHeaders, is_secure=_is_secure)
    app.add_middleware(WebhookIngestMiddleware)
    for router in SIGNED_ROUTERS:
        app.include_router(router)
    app.include_router(health)
    app.include_router(metrics)
    app.include_router(static_files)
    for router in OPEN_PAGES:
        app.include_router(router)
    for router in PAGES:
        app.include_router(router, dependencies=[Depends(require_user)])
    for router in OPEN_ROUTERS:
        app.include_router(router, dependencies=[Depends(refuse_unknown)], responses=OPEN_RESPONSES)
    for router in ROUTERS:
        app.include_router(
            router,
            # In this order: nobody is told what there is to ask.
            dependencies=[Depends(require_user), Depends(refuse_unknown)],
            responses=RESPONSES,
        )
    app.add_api_route(
        "/openapi.json",
        app.openapi,
        dependencies=[Depends(require(DATA_READ))],
        include_in_schema=False,
    )
    refusals.install(app)
    return app


def _is_secure(scope: Scope) -> bool:
    connection = HTTPConnection(scope)
    return is_https(connection, connection.app.state.hub.settings)


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

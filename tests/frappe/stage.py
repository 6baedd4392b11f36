"""A tiny web server that answers what a test says and remembers what it was asked."""

import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from bascule.frappe import Site

KEY, SECRET = "the-api-key", "the-api-secret"

Script = Callable[["Seen"], Any]


@dataclass(frozen=True)
class Seen:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body) if self.body else None


@dataclass
class Stage:
    """`script` answers: JSON for 200, (status, JSON), or a response as aiohttp has them."""

    script: Script
    url: str = ""
    seen: list[Seen] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        seen = Seen(request.method, request.path, dict(request.query), dict(request.headers), body)
        self.seen.append(seen)
        said = self.script(seen)
        if isinstance(said, Awaitable):
            said = await said
        if isinstance(said, web.StreamResponse):
            return said
        status, value = said if isinstance(said, tuple) else (200, said)
        return as_frappe(value, status)

    def site(self, **options: Any) -> Site:
        return Site(self.url, KEY, SECRET, **options)

    @property
    def paths(self) -> list[str]:
        return [seen.path for seen in self.seen]


def as_frappe(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """Compact and in ASCII, as Frappe writes it."""
    return web.Response(
        text=json.dumps(value, separators=(",", ":")),
        status=status,
        content_type="application/json",
        headers=headers,
    )


def page_of_html(status: int, title: str) -> web.Response:
    return web.Response(
        text=f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>",
        status=status,
        content_type="text/html",
    )


@asynccontextmanager
async def stage(script: Script, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Stage]:
    here = Stage(script)
    app = web.Application(client_max_size=100_000_000)
    app.router.add_route("*", "/{path:.*}", here.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    listening = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await listening.start()
    port = runner.addresses[0][1]
    here.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    try:
        yield here
    finally:
        await runner.cleanup()

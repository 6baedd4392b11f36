"""Cookies that a browser keeps for the hub: set, read and taken back in one way.

Over TLS their names begin with `__Host-`. Of such a name browsers take only what this host itself
said, over TLS, for all of it: a neighbour under the same domain, or plain HTTP in between, cannot
set it.
"""

from datetime import timedelta

from fastapi import Request, Response

from bascule.accounts.origin import is_https
from bascule.hub import Hub


def set_cookie(
    hub: Hub, request: Request, response: Response, cookie: str, value: str, lasts: timedelta
) -> None:
    response.set_cookie(
        named(hub, request, cookie),
        value,
        max_age=int(lasts.total_seconds()),
        path="/",
        httponly=True,
        samesite="lax",
        secure=is_https(request, hub.settings),
    )


def read_cookie(hub: Hub, request: Request, cookie: str) -> str | None:
    return request.cookies.get(named(hub, request, cookie))


def delete_cookie(hub: Hub, request: Request, response: Response, cookie: str) -> None:
    response.delete_cookie(
        named(hub, request, cookie),
        path="/",
        httponly=True,
        samesite="lax",
        secure=is_https(request, hub.settings),
    )


def named(hub: Hub, request: Request, cookie: str) -> str:
    return f"__Host-{cookie}" if is_https(request, hub.settings) else cookie

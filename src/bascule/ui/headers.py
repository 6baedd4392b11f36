"""Headers that keep a browser from doing what no page of ours needs."""

from collections.abc import Callable

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "object-src 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",  # but for what says otherwise of itself
}


TLS_ONLY = "max-age=31536000"  # seconds: for a year this host is asked over TLS alone


class SecurityHeaders:
    """An ASGI middleware. `style-src` allows inline styles, because charts and bars set widths.
    `is_secure`: whether a browser speaks TLS here; from then on it shall do nothing else.
    """

    def __init__(self, app: ASGIApp, is_secure: Callable[[Scope], bool]) -> None:
        self.app, self.is_secure = app, is_secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if self.is_secure(scope):
                    headers.setdefault("Strict-Transport-Security", TLS_ONLY)
            await send(message)

        await self.app(scope, receive, guarded if scope["type"] == "http" else send)

"""Signatures as Frappe makes them: base64 of HMAC-SHA256 over the raw body.

`validate_webhooks_request` guards any endpoint with one, in this hub or in somebody else's program.
"""

import base64
import hashlib
import hmac
import inspect
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request

from bascule.inbox.request_body import read_body

SIGNATURE = "X-Frappe-Webhook-Signature"
LARGEST = 64 * 1024  # bytes of a body; what a webhook has to say fits into a few hundred

Secret = str | Callable[[Request], str | Awaitable[str | None] | None]
Endpoint = Callable[..., Any]


def signature_of(secret: bytes, body: bytes) -> bytes:
    return base64.b64encode(hmac.digest(secret, body, hashlib.sha256))


def is_signed(secret: bytes, body: bytes, signature: str) -> bool:
    """Whether `signature`, base64, is that of the raw `body`; in a time that tells nothing about
    how much of it was right.
    """
    return hmac.compare_digest(signature_of(secret, body), signature.encode("utf-8", "replace"))


def validate_webhooks_request(
    secret: Secret, hmac_key: str = SIGNATURE, *, largest: int = LARGEST
) -> Callable[[Endpoint], Endpoint]:
    """Lets only signed requests into an endpoint that takes `request`: 401 without a signature or
    with a wrong one, 413 for a body of more than `largest` bytes. One that is not async runs in a
    thread, as FastAPI and Starlette do with it.

    `secret`: the webhook's Webhook Secret, or a function (async or not) that finds it for the
    request; where it finds none the answer is the same 401. `hmac_key` is the header.
    """

    def guard(endpoint: Endpoint) -> Endpoint:
        @wraps(endpoint)
        async def guarded(*args: Any, **kwargs: Any) -> Any:
            given = [*args, *kwargs.values()]
            request = next(one for one in given if isinstance(one, Request))
            body = await read_body(request, largest)
            known: Any = secret(request) if callable(secret) else secret
            if inspect.isawaitable(known):
                known = await known
            # Also with nothing to compare with, so that it takes the same time.
            signed = is_signed(
                (known or "no secret").encode(), body, request.headers.get(hmac_key, "")
            )
            if not (signed and known):
                raise HTTPException(401, "This request is not signed as it has to be.")
            if inspect.iscoroutinefunction(endpoint):
                return await endpoint(*args, **kwargs)
            return await run_in_threadpool(endpoint, *args, **kwargs)

        if "request" not in inspect.signature(endpoint).parameters:
            raise TypeError(f"{endpoint.__name__} has to take `request`: its body is checked.")
        return guarded

    return guard

"""What happens, as it happens: server-sent events for browsers and for curl."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import StreamingResponse
from fastapi.security import HTTPAuthorizationCredentials
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from starlette.requests import HTTPConnection

from bascule.accounts.access import MayRead, TheHub, bearer, require_user
from bascule.accounts.permissions import PEOPLE_MANAGE
from bascule.accounts.tables import User
from bascule.audit.permissions import AUDIT_READ
from bascule.errors import HubError
from bascule.events.listening import Live
from bascule.events.live import LiveEvent, events_since, position
from bascule.hub import Hub

router = APIRouter(tags=["Events"])
HEARTBEAT = 15.0  # seconds; each also looks whether the user may still be here
COME_BACK = 2_000  # milliseconds after which a browser that lost the stream asks again
BIGGEST = 2**63 - 1  # of a bigint
EXAMPLE = (
    'event: run\ndata: {"connection_id":"7c9e...","run_id":42,"stream_id":1,"outcome":"done"}\n'
    "id: 1207\n\n"
)
RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The stream. `run`, `stream`, `connection`, `user`, `audit`, `log`: what "
        "changed, by its ids. `reset`: something was missed, so read everything anew.",
        "content": {"text/event-stream": {"schema": {"type": "string"}, "example": EXAMPLE}},
    }
}

Still = Callable[[], Awaitable[User | None]]
Stream = AsyncIterator[bytes]


def live_of(connection: HTTPConnection) -> Live:
    live: Live = connection.app.state.live
    return live


@router.get("/api/events", response_class=StreamingResponse, responses=RESPONSES)
async def events(
    request: Request,
    hub: TheHub,
    user: MayRead,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    live: Annotated[Live, Depends(live_of)],
    after: Annotated[
        int | None,
        Query(ge=0, le=BIGGEST, description="Begin after this event; the newest if left out."),
    ] = None,
    last_event_id: Annotated[
        str | None, Header(max_length=100, description="The same; a browser sends it by itself.")
    ] = None,
) -> StreamingResponse:
    """What happens, as it happens, of what you may see: runs, streams, connections, log lines.

    An event names things; their state is where it always was. Events are kept for an hour: who
    comes back with `Last-Event-ID` is told what came meanwhile, perhaps some of it twice.
    """
    await live.ready()
    if last_event_id is not None and last_event_id.isdecimal() and len(last_event_id) < 19:
        after = int(last_event_id)

    async def still() -> User | None:
        try:
            return await require_user(request, hub, credentials)
        except HubError:
            return None

    # Proxies such as nginx would hold events back until they have a buffer full of them.
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    stream = _stream(hub, live, user, after, still)
    return StreamingResponse(stream, headers=headers, media_type="text/event-stream")


async def _stream(hub: Hub, live: Live, user: User, after: int | None, still: Still) -> Stream:
    yield format_sse_event(comment="What happens, as it happens.", retry=COME_BACK)
    async with live.watching() as watcher:
        told: set[int] = set()
        if after is not None:
            async with hub.db.connection() as conn:
                missed = await events_since(conn, after, user.id)
                newest = await position(conn)
            if missed is None:
                yield format_sse_event(event="reset", data_str="{}", id=str(newest))
            for event in missed or []:
                told.add(event.id or 0)
                if _is_shown(event, user):
                    yield _formatted(event)
        look_again = time.monotonic() + HEARTBEAT
        while not watcher.ended:
            try:
                async with asyncio.timeout(max(0, look_again - time.monotonic())):
                    arrived = await watcher.take()
            except TimeoutError:
                arrived = []
            if time.monotonic() >= look_again or any(_concerns(event, user) for event in arrived):
                now = await still()
                if now is None:
                    return
                user, look_again = now, time.monotonic() + HEARTBEAT
                yield KEEPALIVE_COMMENT
            for event in arrived:
                if event.id not in told and _is_shown(event, user):
                    yield _formatted(event)


def _is_shown(event: LiveEvent, user: User) -> bool:
    audit, people = user.may(AUDIT_READ), user.may(PEOPLE_MANAGE)
    return event.shown_to(user.id, audit=audit, people=people)


def _concerns(event: LiveEvent, user: User) -> bool:
    """Perhaps this user was signed out, deactivated or given another role just now."""
    return event.kind == "user" and event.data.get("user_id") == user.id


def _formatted(event: LiveEvent) -> bytes:
    number = None if event.id is None else str(event.id)
    return format_sse_event(event=event.kind, data_str=event.text(), id=number)

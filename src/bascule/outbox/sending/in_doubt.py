"""Whether a request whose answer was lost may still be under way at the site, or was never done."""

from datetime import UTC, datetime, timedelta

from bascule.frappe import (
    FrappeError,
    Invalid,
    NoPermission,
    RateLimited,
    Unavailable,
    WrongCredentials,
)
from bascule.hub import Hub
from bascule.outbox.failures import NotSettled


def is_left(hub: Hub, begun: datetime | None) -> float:
    """Seconds until a try that was begun then is over, whatever became of it."""
    if begun is None:
        return 0.0
    settled = begun + timedelta(seconds=hub.settings.settle_seconds)
    return (settled - datetime.now(UTC)).total_seconds()


def refuse_too_soon(hub: Hub, begun: datetime | None) -> None:
    """Where nothing unique lets the site refuse a second one, both tries would make one."""
    left = is_left(hub, begun)
    if left > 0:
        raise NotSettled(
            "The answer to the first try was lost, and the site may still be busy with it.",
            next_step="It is looked for again before anything else, so that none is made twice.",
            left=left,
        )


def certainly_not_done(error: FrappeError) -> bool:
    """Refusals in the site's own words roll back what was begun."""
    if isinstance(error, Unavailable):
        return error.undone or isinstance(error, RateLimited)
    return isinstance(error, Invalid | NoPermission | WrongCredentials)

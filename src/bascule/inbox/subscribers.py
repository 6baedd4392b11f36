"""Who wants to be told of deliveries. A subscriber is called in a worker, and perhaps twice for the
same delivery, so it looks and compares.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from bascule.connections.tables import Connection
from bascule.hub import Hub
from bascule.jobs.registry import stored_name

ALL = "*"
Subscriber = Callable[[Hub, Connection, list[Any]], Awaitable[None]]
S = TypeVar("S", bound=Callable[..., Awaitable[None]])


@dataclass(frozen=True, slots=True)
class Subscription:
    name: str  # `room.what`
    source: str
    subject_types: frozenset[str]
    notify: Subscriber

    @property
    def stored(self) -> str:
        """By what name a delivery keeps that it still has to be told."""
        return stored_name(self.name)

    def wants(self, source: str, subject_type: str) -> bool:
        return source == self.source and (
            ALL in self.subject_types or subject_type in self.subject_types
        )


SUBSCRIPTIONS: dict[str, Subscription] = {}


def subscribe(source: str, *subject_types: str, name: str) -> Callable[[S], S]:
    """Registers `async (hub, connection, events)` for these subject types of a source, or for "*".

    `name` is `room.what`. A delivery keeps by it who still has to be told, so it never changes;
    people read it too. The subscriber is called for one subject type of one
    connection at a time, with up to 500 events. What it raises is kept with the deliveries, of
    which it is told again, with growing pauses; others are not held up by it.
    """

    def register(notify: S) -> S:
        subscription = Subscription(name, source, frozenset(subject_types), notify)
        if subscription.stored in SUBSCRIPTIONS:
            raise ValueError(f"There is a subscriber {name!r} already.")
        SUBSCRIPTIONS[subscription.stored] = subscription
        return notify

    return register

"""Who wants to hear of what arrived. A delivery is told as "look at this document", never with what
it claims to be in it: values are read from the site.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from bascule.connections.tables import Connection
from bascule.hub import Hub
from bascule.jobs.registry import stored_name

ALL = "*"


@dataclass(frozen=True, slots=True)
class DocumentChange:
    """One document that the site spoke of, however often it did.

    `event` is Frappe's (after_insert, on_change, on_trash, after_rename, ...), empty where it was
    not told; the latest of several, but on_trash where that was among them: perhaps it is gone.
    `received_at`: of the earliest, so what was read from the site later holds all of them.
    `modified`: as the latest has it, for who knows the document of that time already; it is no
    more to be believed than the rest.
    """

    doctype: str
    name: str
    event: str
    received_at: datetime
    modified: str | None = None


Subscriber = Callable[[Hub, Connection, list[DocumentChange]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Subscription:
    name: str
    doctypes: frozenset[str]
    hear: Subscriber

    def wants(self, doctype: str) -> bool:
        return ALL in self.doctypes or doctype in self.doctypes


SUBSCRIPTIONS: dict[str, Subscription] = {}


def subscribe(*doctypes: str, name: str) -> Callable[[Subscriber], Subscriber]:
    """Registers `async (hub, connection, documents)` for these DocTypes, or for "*".

    It runs in a worker, for one DocType of one connection at a time, with up to 500 documents. It
    may hear of the same document again, so it looks and compares. What it raises is kept with the
    deliveries, which it hears again later, with growing pauses; others are not held up by it.

    `name` is `room.what`. A delivery keeps by it who has not heard it yet, so it never changes.
    """

    def register(hear: Subscriber) -> Subscriber:
        stored = stored_name(name)
        if stored in SUBSCRIPTIONS:
            raise ValueError(f"{name} listens already.")
        SUBSCRIPTIONS[stored] = Subscription(stored, frozenset(doctypes), hear)
        return hear

    return register

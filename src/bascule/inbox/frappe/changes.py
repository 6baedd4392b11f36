"""Documents that a site spoke of. A delivery says "look at this document"; values are read from the
site, never from the delivery.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from bascule.inbox import subscribers
from bascule.inbox.sources import InboundEvent

SOURCE = "erpnext"
TRASH = "on_trash"
S = TypeVar("S", bound=Callable[..., Awaitable[None]])


@dataclass(frozen=True, slots=True)
class DocumentChange:
    """One document that the site spoke of, however often it did.

    `event` is Frappe's (after_insert, on_change, on_trash, after_rename, ...), empty where it was
    not told; the latest of several, but on_trash where that was among them: perhaps it is gone.
    `received_at`: of the earliest, so what was read from the site later holds all of them.
    `modified`: as the latest has it, by which a subscriber knows the version that it has already.
    """

    doctype: str
    name: str
    event: str
    received_at: datetime
    modified: str | None = None


def subscribe(*doctypes: str, name: str) -> Callable[[S], S]:
    """Registers `async (hub, connection, changes: list[DocumentChange])` for these DocTypes, or for
    "*". What else holds is told in `bascule.inbox.subscribe`.
    """
    return subscribers.subscribe(SOURCE, *doctypes, name=name)


def by_document(events: Sequence[InboundEvent]) -> list[DocumentChange]:
    """One for each document, in the order in which they were first spoken of."""
    documents: dict[tuple[str, str], DocumentChange] = {}
    for one in events:
        key = one.subject_type, one.subject
        before = documents.get(key)
        event, since = one.event, one.received_at
        if before is not None:
            since = before.received_at
            event = TRASH if before.event == TRASH else one.event or before.event
        documents[key] = DocumentChange(*key, event, since, one.version)
    return list(documents.values())

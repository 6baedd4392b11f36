"""The services whose webhooks arrive here. A source is declared once, beside what it is for, and
everything else is derived: its address, the receiver, the pages, the API and the command line.
"""

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from bascule.errors import Unauthenticated
from bascule.hub import Hub

PATH = "/api/webhooks/"
LARGEST = 64 * 1024  # bytes of a body, unless the source says otherwise
LONGEST_VALUE = 255  # characters of a subject, an event, an id


class Unreadable(ValueError):
    """The body says nothing that anybody could look at; the text tells the sender why."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request at a source's address, as it came. `address`: the last part of the path."""

    address: str
    headers: Mapping[str, str]  # names in any case
    query: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a delivery is about. Subscribers choose by `subject_type`.

    `external_id`: the sender's own id of this delivery, under which a second one is the same. None:
    the same body is the same delivery, unless `repeatable` says that it may come again with news.
    """

    subject_type: str
    subject: str
    event: str = ""
    version: str | None = None
    external_id: str | None = None
    repeatable: bool = False

    def __post_init__(self) -> None:
        """Unreadable: a value that no column holds."""
        for text in (self.subject_type, self.subject, self.event, self.version, self.external_id):
            if text is None:
                continue
            if len(text) > LONGEST_VALUE:
                raise Unreadable(f"A value in the body has over {LONGEST_VALUE} characters.")
            if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
                raise Unreadable("A value in the body holds what is no text.")

    def digest(self, source: str, body: bytes) -> bytes | None:
        """Equal for deliveries of one connection that are the same; None: none is."""
        if self.external_id is not None:
            return hashlib.sha256(f"{source}\0{self.external_id}".encode()).digest()
        return None if self.repeatable else hashlib.sha256(body).digest()


@dataclass(frozen=True, slots=True)
class InboundEvent:
    """One delivery as a subscriber is given it. `payload`: the raw body, where the source keeps it.
    It was verified when it arrived; what it says may be out of date by now.
    """

    id: int
    subject_type: str
    subject: str
    event: str
    received_at: datetime
    version: str | None = None
    external_id: str | None = None
    payload: bytes | None = None


Verify = Callable[[Hub, Arrival], Awaitable[UUID | None]]
Parse = Callable[[Arrival], Parsed]
Join = Callable[[Sequence[InboundEvent]], Sequence[Any]]


def not_signed() -> Unauthenticated:
    return Unauthenticated(
        "This delivery is not signed as its source signs.",
        next_step="Give the service the address and the secret that the hub shows.",
    )


def one_by_one(events: Sequence[InboundEvent]) -> Sequence[Any]:
    return events


@dataclass(frozen=True, slots=True)
class Source:
    """`name` is in the address: /api/webhooks/<name>/<address>.

    `verify` returns the connection whose delivery it is, or None for a refusal; it compares over
    the raw bytes, in constant time. `parse` raises Unreadable. `keep_payload`: the body is kept,
    encrypted, for the subscribers; without it only what `parse` returns is. `join` makes what
    subscribers are given out of deliveries of one subject type, in the order of their arrival.
    """

    name: str
    verify: Verify
    parse: Parse
    keep_payload: bool
    label: str = ""
    join: Join = one_by_one
    largest: int = LARGEST
    event_labels: Mapping[str, str] = field(default_factory=dict)  # an event in people's words
    refusal: Callable[[], Unauthenticated] = not_signed

    @property
    def title(self) -> str:
        return self.label or self.name.capitalize()


SOURCES: dict[str, Source] = {}


def register_source(
    name: str, *, verify: Verify, parse: Parse, keep_payload: bool, **more: Any
) -> Source:
    """Declares a source; `more`: the other fields of `Source`. ValueError: there is one already."""
    if name in SOURCES:
        raise ValueError(f"There is a source {name!r} already.")
    if not name.isidentifier() or name != name.lower():
        raise ValueError(f"{name!r} cannot stand in an address.")
    source = Source(name, verify, parse, keep_payload, **more)
    SOURCES[name] = source
    return source

"""What goes to a site and what comes back: a request, its operation in words, a response."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

from bascule.frappe.doctype import DocType

Method = Literal["GET", "POST", "PUT", "DELETE"]


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request to a site. It holds no credential: the transport adds that.

    `path` is encoded and may have a query. `operation` says in words what is asked, for errors.
    `reads`: it changes nothing, so it may go over a kept connection. `max_bytes` bounds the body
    of a successful response, once it is decompressed.
    """

    method: Method
    path: str
    operation: str
    body: bytes | None = field(default=None, repr=False)
    reads: bool = True
    max_bytes: int = 16_000_000


@dataclass(frozen=True, slots=True)
class Operation:
    """What was asked of the site, in the words of an error: "read Item", "call frappe.ping"."""

    action: str  # read, write, create, delete, submit, cancel, call
    target: str  # a DocType, or a method
    name: str | None = None
    meta: DocType | None = None  # of the DocType, where it is known already

    @property
    def doctype(self) -> str | None:
        return None if self.action == "call" else self.target

    def __str__(self) -> str:
        return f"{self.action} {self.target}" + (f" '{self.name}'" if self.name else "")


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float

    @property
    def is_json(self) -> bool:
        return "json" in self.headers.get("Content-Type", "")

    @property
    def served_at(self) -> datetime | None:
        """The Date header; None where there is none."""
        return _http_date(self.headers.get("Date"))

    @property
    def retry_after(self) -> float | None:
        """Seconds, from a number or a date; None where the site asked for no pause."""
        text = self.headers.get("Retry-After", "").strip()
        try:
            return max(0.0, float(text))
        except ValueError:
            until = _http_date(text)
        if until is None:
            return None
        return max(0.0, (until - (self.served_at or datetime.now(UTC))).total_seconds())


def _http_date(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

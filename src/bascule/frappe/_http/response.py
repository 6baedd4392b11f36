"""What was asked of a site, what it answered, and whether that is what Frappe answers.

What a refusal means is for `error_mapping` to say.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from bascule.frappe.doctype import DocType
from bascule.frappe.errors import FrappeError, Invalid, NotAFrappeSite, SiteDown


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked of the site, in the words of an error: "read Item", "call frappe.ping"."""

    action: str  # read, write, create, delete, submit, cancel, call
    of: str  # a DocType, or a method
    name: str | None = None
    meta: DocType | None = None  # of the DocType, where it is known already

    @property
    def doctype(self) -> str | None:
        return None if self.action == "call" else self.of

    def __str__(self) -> str:
        return f"{self.action} {self.of}" + (f" '{self.name}'" if self.name else "")


@dataclass(frozen=True, slots=True)
class Answer:
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


def member(answer: Answer, asked: Asked, name: str, *, needed: bool = True) -> Any:
    """What the answer holds under this name. A method that returns nothing answers {}."""
    try:
        body = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        body = None
    if not isinstance(body, dict) or (needed and name not in body):
        raise misshapen(answer, asked)
    return body.get(name)


def document(answer: Answer, asked: Asked, within: str = "data") -> dict[str, Any]:
    found = member(answer, asked, within)
    if not isinstance(found, dict):
        raise misshapen(answer, asked)
    return found


def check_rows(count: int, limit: int, asked: Asked) -> None:
    """Invalid where a list has more rows than were asked for. `limit` 0: all there are."""
    if limit and count > limit:
        raise Invalid(
            f"The site gave {count:,} rows of {asked.of} where {limit:,} were asked for.",
            next_step="Code of the site's own may list this DocType and not heed "
            "limit_page_length: have it mended, or leave the DocType out of what is mirrored.",
            doctype=asked.doctype,
        )


def misshapen(answer: Answer, asked: Asked) -> FrappeError:
    """The error of a 2xx whose body is not what Frappe answers."""
    about: dict[str, Any] = {"doctype": asked.doctype, "status": answer.status}
    if answer.is_json and answer.body[:1] in (b"{", b"[") and not _is_json(answer.body):
        return SiteDown(
            "The answer broke off in the middle.",
            next_step="Try again in a few minutes; if it stays, look at the proxy before the site.",
            **about,
        )
    if asked.doctype and _is_a_methods(answer):
        return Invalid(
            f"The site answered '{asked}' with JSON of another shape than documents have.",
            next_step=f"Leave {asked.doctype} out: a virtual DocType, or code of the site's own, "
            "may answer so. Who looks after that code can have it give what Frappe gives.",
            **about,
        )
    what = "JSON of another shape" if answer.is_json else "a page, not data"
    return NotAFrappeSite(
        f"What answers at this address is not a Frappe site: it sent {what}.",
        next_step="Check the site's address; it is the one that you open ERPNext's desk with.",
        **about,
    )


def _is_a_methods(answer: Answer) -> bool:
    """Whether this is how Frappe wraps what a method returned: {} where that was nothing."""
    try:
        found = msgspec.json.decode(answer.body, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    return not found or "message" in found


def _is_json(body: bytes) -> bool:
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True

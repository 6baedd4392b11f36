"""A field of a record as data: what it is called, where it lives in ERPNext, what may be in it.

`mapping` joins a record type's own fields with what people added; `party` reads and writes places.
"""

import re
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

Part = Literal["main", "address", "contact"]
Kind = Literal["text", "long", "number", "flag", "email", "phone", "url", "date"]
Direction = Literal["both", "to_erpnext", "from_erpnext"]
Group = Literal["who", "contact", "address", "terms"]
PARTS: tuple[Part, ...] = ("main", "address", "contact")
KINDS: tuple[Kind, ...] = ("text", "long", "number", "flag", "email", "phone", "url", "date")
DIRECTIONS: tuple[Direction, ...] = ("both", "to_erpnext", "from_erpnext")

_EMAIL = re.compile(r"[^@\s<>\",;]+@[^@\s<>\"',;]+\.[^@\s<>\"',;.]+")
_PHONE = re.compile(r"[0-9+()\-./\s]*(?:(?:x|ext\.?)\s*[0-9]+)?", re.IGNORECASE)
LONGEST = {"long": 10_000}
USUAL_LENGTH = 140  # characters of Frappe's Data
BIGGEST = 1e15  # of a Currency
# What Frappe makes of these characters in a text that looks like HTML to it; `&` last.
_ESCAPED = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))


@dataclass(frozen=True, slots=True)
class Place:
    """A field of the document itself, of its primary Address or Contact; in `table`: a column of
    the row of that child table in which each of `row` holds. "$company" there stands for the
    company that the connection's two-way sync is about.
    """

    part: Part
    field: str
    table: str | None = None
    row: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        inner = f"{self.table}.{self.field}" if self.table else self.field
        return inner if self.part == "main" else f"{self.part.title()} {inner}"


@dataclass(frozen=True, slots=True)
class Field:
    """`place` None: the site has none, so it is kept here alone. `conversion`: see `party`.

    `required`: a record is called by it. `needed`, `choices` and `longest` (characters) are what
    people say of it beyond its kind; they hold for what is typed here, not for what comes from
    the site.
    """

    name: str
    label: str
    place: Place | None
    kind: Kind = "text"
    direction: Direction = "both"
    default: Any = None
    conversion: str | None = None
    required: bool = False
    help: str = ""
    group: Group = "who"  # what it stands with on a page
    own: bool = False  # people added it
    needed: bool = False
    choices: tuple[str, ...] = ()
    longest: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "choices", tuple(self.choices))  # as a list in JSON

    @property
    def is_sent(self) -> bool:
        return self.place is not None and self.direction != "from_erpnext"

    @property
    def is_taken(self) -> bool:
        return self.place is not None and self.direction != "to_erpnext"


@dataclass(frozen=True)
class RecordType:
    """What can be kept the same: `doctype` with its primary Address and Contact, whose fields
    there are called `{prefix}_primary_address` and so on. `shows_address`: saving
    the Address changes the document, which shows it. `saves_parts_since`: ERPNext's major version
    from which on saving the document saves these two as well.
    """

    name: str
    plural: str
    label: str
    doctype: str
    prefix: str
    title: str  # the local field that a record is called by
    tax: str  # of these two, and the title, records and documents are paired
    email: str
    numbers_doubles: bool  # the site gives one whose name is taken a number behind it
    fields: tuple[Field, ...] = field(repr=False)
    shows_address: bool = False
    saves_parts_since: int | None = None


def clean(of: Field, value: Any) -> Any:
    """A value as it is kept; ValueError says in words why it cannot be. Nothing is None."""
    if value is None or (isinstance(value, str) and not value.strip()):
        if of.kind == "flag":
            return False
        if of.required or of.needed:
            raise ValueError("is needed")
        return None
    cleaned = _CLEANERS[of.kind](value)
    if of.choices and str(cleaned) not in of.choices:
        raise ValueError(f"is one of: {', '.join(of.choices)}")
    if of.longest is not None and len(str(cleaned)) > of.longest:
        raise ValueError(
            f"has at most {of.longest:,} characters, and this has {len(str(cleaned)):,}"
        )
    return cleaned


def _text(value: Any, longest: int = USUAL_LENGTH) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("is text")  # noqa: TRY004 - its words are for a person
    text = str(value).strip()
    if "\0" in text or text != text.encode(errors="replace").decode():
        raise ValueError("holds characters that cannot be stored")
    if len(text) > longest:
        raise ValueError(f"has at most {longest:,} characters, and this has {len(text):,}")
    return text


def _long(value: Any) -> str:
    return _text(value, LONGEST["long"])


def _email(value: Any) -> str:
    text = _text(value)
    if not _EMAIL.fullmatch(text):
        raise ValueError("is an e-mail address, such as ann@example.com")
    return text


def _phone(value: Any) -> str:
    text = _text(value)
    if not _PHONE.fullmatch(text):
        raise ValueError("is a phone number, such as +31 6 12345678")
    return text


def _number(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError("is a number") from None
    if isinstance(value, bool) or not abs(number) < BIGGEST:
        raise ValueError("is a number within reason")
    return number


def _flag(value: Any) -> bool:
    told = str(value).strip().lower()
    if told in ("1", "1.0", "true", "on", "yes"):
        return True
    if told in ("0", "0.0", "false", "off", "no"):
        return False
    raise ValueError("is yes or no")


def _date(value: Any) -> str:
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError:
        raise ValueError("is a day, such as 2026-11-20") from None


_CLEANERS = {
    "text": _text,
    "url": _text,
    "long": _long,
    "email": _email,
    "phone": _phone,
    "number": _number,
    "flag": _flag,
    "date": _date,
}


def from_site(of: Field, value: Any) -> Any:
    """What a site said, as it is kept here; whatever it is, it is not lost."""
    if value is None or value == "":
        return False if of.kind == "flag" else None
    if isinstance(value, str):
        for escaped, plain in _ESCAPED:
            value = value.replace(escaped, plain)
    try:
        return _CLEANERS[of.kind](value)
    except ValueError:
        return str(value).replace("\0", "").strip() or None


def same(of: Field, one: Any, other: Any) -> bool:
    """To a person, and to Frappe: where nothing was said a number is 0 and a text is empty."""
    return bool(_canonical(of, one) == _canonical(of, other))


def _canonical(of: Field, value: Any) -> Any:
    if of.kind == "flag":
        return bool(value)
    if value in (None, "", 0):
        return None
    return round(value, 6) if isinstance(value, float) else value

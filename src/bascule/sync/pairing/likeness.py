"""When two values are one to somebody who looks for doubles, and when to ERPNext's database."""

import unicodedata
from typing import Any

from bascule.sync.fields import RecordType

# Letters that MariaDB's utf8mb4_unicode_ci takes for two, and those that it keeps apart though they
# look like another; what lies outside the basic plane is all one to it.
_LETTERS = {"æ": "ae", "œ": "oe", "ß": "ss", "þ": "th", "ĳ": "ij"}
_OUTSIDE = "\ufffd"


def normal(value: Any) -> str:
    """Without case, and without what compatibility forms and spaces make different."""
    text = unicodedata.normalize("NFKC", str(value or ""))
    return unicodedata.normalize("NFKC", " ".join(text.split()).casefold())


def bare(value: Any) -> str:
    """A number as authorities mean it: without punctuation, spaces and case."""
    return "".join(character for character in normal(value) if character.isalnum())


def collated(value: Any) -> str:
    """Texts with one key are one name to ERPNext's database: without case, accents and spaces at
    the end. Coarser than `normal`.
    """
    plain = unicodedata.normalize("NFKD", normal(value))
    return "".join(
        _OUTSIDE if ord(one) > 0xFFFF else _LETTERS.get(one, one)
        for one in plain
        if unicodedata.category(one) not in ("Mn", "Cf", "Cc")
    )


def key_of(kind: RecordType, field: str, value: Any) -> str:
    """By which records and documents are paired over this field."""
    return bare(value) if field == kind.tax else normal(value)


def alike(kind: RecordType, field: str, one: Any, other: Any) -> bool:
    """Whether two were paired by these, so that they are no two edits."""
    key = key_of(kind, field, one)
    return bool(key) and key == key_of(kind, field, other)

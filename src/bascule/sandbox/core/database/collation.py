"""MariaDB's sense of text in SQLite: utf8mb4_unicode_ci, where "Café" is "CAFE" is "cafe ".

Letters compare without case and accents, trailing spaces do not count, and punctuation comes before
digits, digits before letters, as the Unicode collation algorithm (version 4) has them. What lies
outside the basic plane, emoji among it, all weighs the same.
"""

import re
import sqlite3
import unicodedata
from collections.abc import Iterator
from datetime import timedelta
from functools import lru_cache

from bascule.sandbox.core.values import time_of_day

NAME = "unicode_ci"
TIME = "time_of_day"  # 9:00:00 comes before 13:00:00

_PUNCTUATION = " _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$"
_ORDER = {character: chr(number) for number, character in enumerate(_PUNCTUATION, start=1)}
# Letters that this version of the algorithm takes for two letters, or for one of their own that
# follows its likeness; U+10FFFF puts "ø" behind "oz".
_LETTERS = {
    **{"æ": "ae", "œ": "oe", "ß": "ss", "þ": "th", "ĳ": "ij"},
    **{letter: f"{near}\U0010ffff" for letter, near in zip("øłđħŧð", "oldhtd", strict=True)},
}
_OUTSIDE = "\ufffd"


def _weights(character: str) -> str:
    if character in _ORDER:
        return _ORDER[character]
    if "0" <= character <= "9" or "a" <= character <= "z":
        return character
    if ord(character) > 0xFFFF:
        return _OUTSIDE
    if unicodedata.category(character) in ("Mn", "Cc", "Cf"):
        return _ORDER[" "] if character in "\t\n\r\v\f" else ""
    small = character.lower()
    if small in _LETTERS:
        return _LETTERS[small]
    plain = unicodedata.normalize("NFKD", small)
    if plain != character:
        return "".join(_weights(part) for part in plain)
    if unicodedata.category(character)[0] in "PSZ":
        return "/" + character  # after ASCII punctuation, before the digits
    return character


_cached_weights = lru_cache(maxsize=4096)(_weights)


@lru_cache(maxsize=200_000)
def key(text: str) -> str:
    """Texts with one key are equal to MariaDB, and keys sort as it sorts the texts."""
    text = text.rstrip(" ")
    if text.isascii():
        text = text.lower()
    return "".join(map(_cached_weights, text))


def compare(left: str, right: str) -> int:
    first, second = key(left), key(right)
    return (first > second) - (first < second)


def _compare_times(left: str, right: str) -> int:
    first, second = (time_of_day(text) or timedelta() for text in (left, right))
    return (first > second) - (first < second)


@lru_cache(maxsize=1024)
def _pattern(like: str) -> re.Pattern[str]:
    parts = []
    for character in _unescaped(like):
        if character in ("%", "_"):
            parts.append({"%": ".*", "_": "."}[character])
        else:
            parts.append(re.escape("".join(map(_cached_weights, character[-1]))))
    return re.compile("".join(parts), re.DOTALL)


def _unescaped(like: str) -> Iterator[str]:
    """One piece a character; what a backslash takes its meaning from comes as two characters."""
    pieces = iter(like)
    for character in pieces:
        if character == "\\":
            yield "\\" + next(pieces, "\\")
        else:
            yield character


def like(pattern: object, value: object) -> bool | None:
    """MariaDB's LIKE, of text or number, without case and accents; no trailing space is dropped."""
    if pattern is None or value is None:
        return None
    text = "".join(map(_cached_weights, str(value)))
    return _pattern(str(pattern)).fullmatch(text) is not None


def install(connection: sqlite3.Connection) -> None:
    connection.create_collation(NAME, compare)
    connection.create_collation(TIME, _compare_times)
    connection.create_function("like", 2, like, deterministic=True)

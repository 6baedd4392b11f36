"""Compares an answer with the recorded one, where names and times are another's.

A recorded time or random name stands for the one that the sandbox gave in the same place: the same
one means the same everywhere, and two different ones never become one.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

_TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3,6}"
_NAME = r"(?<![0-9a-z])(?=[a-z0-9]*\d)[0-9a-v]{10}(?![0-9a-z])"
_WHOLE_NAME = re.compile(r"[0-9a-v]{10}")  # one in a hundred has no digit
_TOKEN = re.compile(f"{_TIME}|{_NAME}")
_CUT = "Traceback (most recent call last)"
_IGNORED = {"exc", "__frappe_exc_id"}
_JSON_IN_TEXT = ("_server_messages", "_debug_messages")


@dataclass
class Mismatch:
    """`place` is a path: `data[0].modified`."""

    place: str
    recorded: Any
    given: Any

    def __str__(self) -> str:
        return f"{self.place}: recorded {_short(self.recorded)}, given {_short(self.given)}"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 200 else f"{text[:200]}..."


@dataclass
class Tokens:
    """Which of the sandbox's names and times each recorded one stands for."""

    known: dict[str, str] = field(default_factory=dict)
    taken: dict[str, str] = field(default_factory=dict)

    def stands_for(self, recorded: str, given: str) -> bool:
        if recorded in self.known:
            return self.known[recorded] == given
        if self.taken.get(given, recorded) != recorded:
            return False
        self.known[recorded] = given
        self.taken[given] = recorded
        return True

    def translated(self, value: Any) -> Any:
        """A recorded request or answer, with the sandbox's names and times where they are known."""
        if isinstance(value, str):
            return _TOKEN.sub(lambda match: self.known.get(match[0], match[0]), value)
        if isinstance(value, list):
            return [self.translated(entry) for entry in value]
        if isinstance(value, dict):
            return {key: self.translated(entry) for key, entry in value.items()}
        return value


def plain(value: Any) -> Any:
    """The answer with the JSON that it holds as text opened, and without what is random in it."""
    if isinstance(value, list):
        return [plain(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    out = {}
    for key, entry in value.items():
        if key in _IGNORED:
            out[key] = f"{_CUT}" if _CUT in str(entry) or key != "exc" else entry
        elif key in _JSON_IN_TEXT and isinstance(entry, str):
            opened = json.loads(entry)
            if key == "_server_messages":
                opened = [json.loads(message) for message in opened]
            out[key] = plain(opened)
        else:
            out[key] = plain(entry)
    return out


def compare(
    recorded: Any, given: Any, tokens: Tokens, *, unordered: bool = False
) -> list[Mismatch]:
    if unordered:
        recorded, given = _sorted(recorded, tokens), _sorted(given, Tokens())
    return list(_differences(recorded, given, tokens, ""))


def _sorted(answer: Any, tokens: Tokens) -> Any:
    """The rows of a list whose order the site does not promise, in an order of our own."""
    if not isinstance(answer, dict):
        return answer

    def place(row: Any) -> tuple[str, str]:
        text = json.dumps(tokens.translated(row), sort_keys=True)
        return _TOKEN.sub("~", text), text

    return {
        key: sorted(value, key=place) if isinstance(value, list) else value
        for key, value in answer.items()
    }


def _differences(recorded: Any, given: Any, tokens: Tokens, place: str) -> Iterator[Mismatch]:
    if isinstance(recorded, dict) and isinstance(given, dict):
        for key in [*recorded, *(key for key in given if key not in recorded)]:
            inner = f"{place}.{key}" if place else key
            if key not in given or key not in recorded:
                missing = "(not there)"
                yield Mismatch(inner, recorded.get(key, missing), given.get(key, missing))
            else:
                yield from _differences(recorded[key], given[key], tokens, inner)
    elif isinstance(recorded, list) and isinstance(given, list):
        if len(recorded) != len(given):
            yield Mismatch(f"{place}.length", len(recorded), len(given))
        for position, (one, other) in enumerate(zip(recorded, given, strict=False)):
            yield from _differences(one, other, tokens, f"{place}[{position}]")
    elif isinstance(recorded, str) and isinstance(given, str):
        if not _same_text(recorded, given, tokens):
            yield Mismatch(place, recorded, given)
    elif type(recorded) is not type(given) or recorded != given:
        yield Mismatch(place, recorded, given)


def _same_text(recorded: str, given: str, tokens: Tokens) -> bool:
    if recorded.startswith(_CUT):
        return given.startswith(_CUT)
    if _WHOLE_NAME.fullmatch(recorded) and _WHOLE_NAME.fullmatch(given):
        return recorded == given or tokens.stands_for(recorded, given)
    if _TOKEN.sub("~", recorded) != _TOKEN.sub("~", given):
        return False
    pairs = zip(_TOKEN.findall(recorded), _TOKEN.findall(given), strict=True)
    return all(tokens.stands_for(*pair) for pair in pairs)

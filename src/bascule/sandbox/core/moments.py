"""A site as it once was, to be restored as from a backup: nothing that came later stays."""

from collections import Counter
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Moment:
    """`rows` is the database of then, `made` names its tables; `definitions` by DocType."""

    rows: bytes
    made: frozenset[str]
    definitions: dict[str, dict[str, Any]]
    linked: Counter[tuple[str, str]]
    to_repost: frozenset[tuple[str, str]]

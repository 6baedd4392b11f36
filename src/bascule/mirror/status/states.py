"""How a connection can stand, in one list; `overview.state_of` says which it is."""

from collections.abc import Mapping
from typing import Literal, get_args

# What wants somebody first.
State = Literal["refused", "down", "failed", "differs", "queued", "waiting", "syncing", "ok"]
STATES: tuple[str, ...] = get_args(State)
WORDS = {
    "refused": "refused",
    "down": "down",
    "failed": "failing",
    "differs": "different from the site",
    "queued": "queued",
    "waiting": "waiting",
    "syncing": "syncing",
    "ok": "fine",
}


def figures(counts: Mapping[str, int]) -> str:
    """Such as "297 fine, 3 failing"."""
    return ", ".join(f"{counts[one]:,} {WORDS[one]}" for one in reversed(STATES) if one in counts)

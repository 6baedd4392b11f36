"""Filters and values of a list in the form that Frappe takes.

Filters become lists of [field, operator, value]; values become what Frappe writes.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

Filters = Mapping[str, Any] | Iterable[Sequence[Any]]

_LOOKUPS = {
    "gt": ">",
    "gte": ">=",
    "lt": "<",
    "lte": "<=",
    "ne": "!=",
    "in": "in",
    "not_in": "not in",
    "like": "like",
    "not_like": "not like",
    "between": "between",
    "isset": "is",
}


def conditions(filters: Filters) -> list[list[Any]]:
    """A mapping is Frappe's own short form: `{"disabled": 0, "qty": [">", 5]}`."""
    if isinstance(filters, Mapping):
        return [
            [field, *(_pair(value) if _is_pair(value) else ["=", site_value(value)])]
            for field, value in filters.items()
        ]
    found = []
    for condition in filters:
        if isinstance(condition, str) or len(condition) not in (3, 4):
            raise ValueError("A filter is [field, operator, value] or [DocType, field, ...].")
        found.append([*condition[:-1], site_value(condition[-1])])
    return found


def _is_pair(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and isinstance(value[0], str)


def _pair(value: Sequence[Any]) -> list[Any]:
    return [value[0], site_value(value[1])]


def lookups(wanted: Mapping[str, Any]) -> list[list[Any]]:
    """`modified__gte=x` -> ["modified", ">=", x]; a bare name is equality.

    ValueError for an ending that is none of the lookups. A field whose own name ends like one is
    asked for with a filter written out.
    """
    found: list[list[Any]] = []
    for name, value in wanted.items():
        field, double, lookup = name.rpartition("__")
        if not double:
            found.append([name, "=", site_value(value)])
        elif lookup not in _LOOKUPS:
            known = ", ".join(f"__{known}" for known in _LOOKUPS)
            raise ValueError(f"{name}: no such lookup; there are {known}.")
        elif lookup == "isset":
            found.append([field, "is", "set" if value else "not set"])
        elif lookup == "between" and all(isinstance(v, int | float | Decimal) for v in value):
            # Frappe 15 writes a `between` over numbers that no database reads.
            low, high = value
            found += [[field, ">=", site_value(low)], [field, "<=", site_value(high)]]
        else:
            found.append([field, _LOOKUPS[lookup], site_value(value)])
    return found


def site_value(value: Any) -> Any:
    """A value as Frappe writes it: dates with a space before the time, sets as lists, 0 and 1.

    ValueError for a time with a zone: the site takes and ignores it, so it would mean another time.
    """
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, datetime):
        if value.tzinfo is not None:
            raise ValueError(
                "A site's times are its local time, without a zone: convert it with "
                "moment.astimezone(ZoneInfo(await site.time_zone())).replace(tzinfo=None)."
            )
        return value.isoformat(" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): site_value(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [site_value(inner) for inner in value]
    return value

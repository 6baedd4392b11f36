"""Whether a site stored what it was sent: Frappe drops unknown fields without a word."""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from html import unescape
from typing import Any

# The site sets these itself, whatever is sent.
_THE_SITES_OWN = {"doctype", "creation", "modified", "modified_by", "owner"}


def dropped_fields(sent: Mapping[str, Any], stored: Mapping[str, Any]) -> list[str]:
    """Names of fields that `stored` lacks or holds otherwise, in the order sent.

    Nothing is nothing, however it is written: null, "", 0, an empty table, or no field at all. A
    child row's field is `items[2].rate`; rows count from 1, as `idx` does. Where there are
    more rows or fewer, it is the table's own name.
    """
    missing: list[str] = []
    for name, value in sent.items():
        if name in _THE_SITES_OWN or name.startswith("__"):
            continue
        there = stored.get(name)
        if _is_table(value) or (_is_table(there) and not value):
            missing += _dropped_rows(name, value or [], there or [])
        elif not _same(value, there):
            missing.append(name)
    return missing


def _is_table(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(row, Mapping) for row in value)


def _dropped_rows(name: str, sent: Sequence[Mapping[str, Any]], stored: Any) -> list[str]:
    if not _is_table(stored) or len(sent) != len(stored):
        return [name]
    return [
        f"{name}[{number}].{inner}"
        for number, (row, kept) in enumerate(zip(sent, stored, strict=True), start=1)
        for inner in dropped_fields(row, kept)
    ]


def _same(sent: Any, stored: Any) -> bool:
    if _is_nothing(sent) and _is_nothing(stored):
        return True
    if sent == stored:
        return True
    numbers = _number(sent), _number(stored)
    if None not in numbers:
        return numbers[0] == numbers[1]
    # Frappe trims text, and escapes what it takes for HTML.
    return unescape(str(sent)).strip() == unescape(str(stored)).strip()


def _is_nothing(value: Any) -> bool:
    return value is None or value in ("", []) or _number(value) == 0


def _number(value: Any) -> Decimal | None:
    """The number that a value is, or that its text says: "5.0" and 5 are the same to Frappe."""
    if not isinstance(value, int | float | Decimal | str):
        return None
    try:
        number = Decimal(str(int(value)) if isinstance(value, bool) else str(value).strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None

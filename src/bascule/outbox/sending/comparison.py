"""What ERPNext dropped or changed of what it was sent, without a word: told, and no error."""

from collections.abc import Mapping
from typing import Any

from bascule.frappe import dropped_fields


def not_kept(sent: Mapping[str, Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    """By field: what was sent and what is stored. Of a child row `items[2].rate`."""
    return {
        path: {"sent": value_at(sent, path), "stored": value_at(stored, path)}
        for path in dropped_fields(sent, stored)
    }


def value_at(document: Mapping[str, Any], path: str) -> Any:
    table, bracket, rest = path.partition("[")
    if not bracket:
        return document.get(path)
    number, _, inner = rest.partition("].")
    return value_at(document[table][int(number) - 1], inner)

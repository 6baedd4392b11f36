"""What differs between the versions of Frappe: the one place that compares version numbers.

Rules are stated for the major version that the site told, None while it has not.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_API_V2 = 15  # /api/v2 serves the definitions of DocTypes
_FUNCTION_DICTS = 16  # a function in `fields` is a dict, and SQL text is refused; before, reversed
_MASKED_FIELDS = 16  # fields can be masked: shown as X's to a user without the right

_FUNCTION = re.compile(
    r"^(?:(?P<function>count|sum|avg|min|max)\(\s*(?:distinct\s+)?(?P<field>\*|`?\w+`?)\s*\))"
    r"(?:\s+as\s+(?P<name>`?\w+`?))?$",
    re.IGNORECASE,
)


def major_of(versions: Mapping[str, str] | None) -> int | None:
    """Frappe's major version, from the version of each app."""
    major = str((versions or {}).get("frappe") or "").partition(".")[0]
    return int(major) if major.isdigit() else None


def may_have_api_v2(major: int | None) -> bool:
    return major is None or major >= _API_V2


def may_take_sql_functions(major: int | None) -> bool:
    """Whether `fields` of a list may hold any function of the site's database."""
    return major is None or major < _FUNCTION_DICTS


def may_mask_fields(major: int | None) -> bool:
    return (major or 0) >= _MASKED_FIELDS


def has_functions(fields: Iterable[str]) -> bool:
    return any(_FUNCTION.match(field.strip()) for field in fields)


def fields_for(major: int | None, fields: Sequence[str]) -> Sequence[Any]:
    """The fields of a list in the form that the version takes.

    `count(name) as n` stays as it is before version 16, and is {"COUNT": "name", "as": "n"} there.
    """
    if (major or 0) < _FUNCTION_DICTS:
        return fields
    return [_as_dict(field) for field in fields]


def _as_dict(field: str) -> Any:
    match = _FUNCTION.match(field.strip())
    if match is None:
        return field
    written: dict[str, Any] = {match["function"].upper(): match["field"].strip("`")}
    if match["name"]:
        written["as"] = match["name"].strip("`")
    return written

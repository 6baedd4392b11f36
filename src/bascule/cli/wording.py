"""The hub's words as the command line says them: options for fields, verbs for the API's routes."""

import re
from collections.abc import Collection

# Fields of a connection whose option is called otherwise; the others are the field with dashes.
OPTIONS = {
    "api_url": "--url",
    "api_key": "--key",
    "api_secret": "--secret",
    "sync_inventory": "--inventory",
    "sync_orders": "--orders",
    "sync_suppliers": "--suppliers",
    "warehouse_filter": "--warehouse",
}
# "GET /api/connectors, or 'bascule status', lists them" has a verb; what has none stays as it is.
_ROUTE = re.compile(r"(?:GET|POST|PUT|PATCH|DELETE) /api/[^\s,]+,? or (?=(?:run )?')")
_LEFT_COMMA = re.compile(r"^((?:run )?'[^']+'), ", re.IGNORECASE)


def option_of(field: str) -> str:
    return OPTIONS.get(field, f"--{field.replace('_', '-')}")


def spoken(text: str, fields: Collection[str] = ()) -> str:
    """`fields`: those that could not be taken, which `text` names as the API has them."""
    said = _LEFT_COMMA.sub(r"\1 ", _ROUTE.sub("", text))
    for field in sorted(fields, key=len, reverse=True):
        said = re.sub(rf"(?<![\w-]){re.escape(field)}(?= )", option_of(field), said)
    return said[:1].upper() + said[1:]

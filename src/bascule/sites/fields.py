"""What may be said of a connection, field by field: each value made clean or refused in words.

One place for the API, the command line and the pages; the database is asked by `service`.
"""

import ssl
import stat
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bascule.connections import schedules
from bascule.connections.frequency import DEFAULT
from bascule.connections.slugs import RESERVED, SLUG
from bascule.errors import Invalid
from bascule.reach import MayConnect
from bascule.sites.address import site_address

MOST_PROOF_DAYS = 90
MOST_LOOKBACK_DAYS = 36_500
MOST_CONCURRENCY = 16
LONGEST_GROUP = 60
LARGEST_BUNDLE = 10_000_000  # bytes; all authorities of the world have 0.3 MB


@dataclass(kw_only=True)
class NewConnection:
    """A site to connect. `schedule`: see `schedules`; `slug`: made from the name if None;
    `shared`: by who connects it if None, see `sharing`.
    """

    name: str
    api_url: str
    api_key: str
    api_secret: str = field(repr=False)
    slug: str | None = None
    group: str = ""
    sync_inventory: bool = True
    sync_orders: bool = True
    sync_suppliers: bool = True
    lookback_days: int = 90
    proof_days: int = 7
    warehouse_filter: list[str] = field(default_factory=list)
    include_disabled: bool = False
    schedule: str = DEFAULT
    allow_http: bool = False
    ca_bundle: str | None = None
    max_concurrency: int = 4
    shared: bool | None = None


def checked(values: dict[str, Any], *, allow_http: bool, may_connect: MayConnect) -> dict[str, Any]:
    """The same fields with clean values; Invalid names every field that cannot be taken at once."""
    clean: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    rules: dict[str, Callable[[Any], Any]] = {
        **RULES,
        "api_url": lambda value: site_address(
            text(value), allow_http=allow_http, may_connect=may_connect
        ),
    }
    for name, value in values.items():
        try:
            clean[name] = rules[name](value)
        except Invalid as error:
            wrong |= error.fields
        except ValueError as error:
            wrong[name] = str(error)
    if wrong:
        said = "; ".join(f"{name} {reason}" for name, reason in wrong.items())
        raise Invalid(
            f"This connection cannot be saved: {said}.",
            next_step="Correct what is named and send it again.",
            fields=wrong,
        )
    return clean


def text(value: Any, longest: int = 2_000) -> str:
    if not isinstance(value, str):
        raise ValueError("is not text")  # noqa: TRY004
    if len(value) > longest:
        raise ValueError(f"is longer than {longest} characters")
    if any(unicodedata.category(c) in ("Cc", "Cs") for c in value):
        raise ValueError("contains characters that cannot be written, such as a line break")
    return value.strip()


def _name(value: Any) -> str:
    if not (name := text(value, 140)):
        raise ValueError("is empty; call the connection something, such as your company's name")
    return name


def _group(value: Any) -> str:
    return " ".join(text(value, LONGEST_GROUP).split())


def _credential(value: Any, what: str) -> str:
    credential = text(value, 500)
    if not credential:
        raise ValueError(
            f"is empty; ERPNext shows the {what} under My Settings, API Access, Generate Keys"
        )
    if not credential.isascii() or " " in credential:
        raise ValueError("has spaces or other characters that a key never has; copy it again")
    return credential


def _api_key(value: Any) -> str:
    key = _credential(value, "key")
    if ":" in key:
        raise ValueError("has a colon in it; the key is the part before it, the secret the rest")
    return key


def _slug(value: Any) -> str:
    slug = text(value, 200)
    if not SLUG.fullmatch(slug):
        raise ValueError("may have only a-z, 0-9 and _, begins with a letter, and ends by the 40th")
    if slug in RESERVED or slug.startswith("pg_"):
        raise ValueError("is a name that the hub or PostgreSQL keeps for itself; choose another")
    return slug


def _between(least: int, most: int, what: str) -> Callable[[Any], int]:
    def rule(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"is not a whole number of {what}")  # noqa: TRY004
        if not least <= value <= most:
            raise ValueError(f"is outside of {least} to {most} {what}")
        return value

    return rule


def _switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("is neither true nor false")  # noqa: TRY004
    return value


def _warehouses(value: Any) -> list[str]:
    if not isinstance(value, list):
        raise ValueError("is not a list of warehouses")  # noqa: TRY004
    if len(value) > 500:
        raise ValueError("has more than 500 warehouses; leave it empty to have all")
    return list(dict.fromkeys(name for each in value if (name := text(each, 140))))


def _schedule(value: Any) -> str:
    return schedules.parse(text(value, 100))


def _ca_bundle(value: Any) -> str | None:
    if value is None or not (path := text(value)):
        return None
    if not _holds_certificates(Path(path)):
        raise ValueError("is not a readable PEM file of certificates on the hub's machine")
    return path


def _holds_certificates(path: Path) -> bool:
    try:
        # A pipe, or what only looks like a file, would be read for ever.
        kept = path.stat()
        if not (stat.S_ISREG(kept.st_mode) and 0 < kept.st_size <= LARGEST_BUNDLE):
            return False
        ssl.create_default_context(cafile=path)
    except (OSError, ssl.SSLError):
        return False
    return True


RULES: dict[str, Callable[[Any], Any]] = {
    "name": _name,
    "group": _group,
    "api_key": _api_key,
    "api_secret": lambda value: _credential(value, "secret"),
    "slug": _slug,
    "sync_inventory": _switch,
    "sync_orders": _switch,
    "sync_suppliers": _switch,
    "lookback_days": _between(1, MOST_LOOKBACK_DAYS, "days"),
    "proof_days": _between(1, MOST_PROOF_DAYS, "days"),
    "warehouse_filter": _warehouses,
    "include_disabled": _switch,
    "schedule": _schedule,
    "allow_http": _switch,
    "ca_bundle": _ca_bundle,
    "shared": _switch,
    "max_concurrency": _between(1, MOST_CONCURRENCY, "requests at a time"),
}

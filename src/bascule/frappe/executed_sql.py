"""The SQL that a site ran for a list, for debugging: Frappe's own `debug` argument.

Frappe returns it in the response. It contains the values of filters, and no secret of the hub.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import msgspec

from bascule.frappe._http.models import Response

TOLD_BY = "/api/method/frappe.client.get_list"
TAKES = "Execution time: "


class ExecutedSQL(NamedTuple):
    """A statement of the site's database; `seconds` as Frappe rounds them, None where not told."""

    sql: str
    seconds: float | None


class _Debugged(msgspec.Struct):
    messages: str = msgspec.field(name="_debug_messages", default="[]")


Tell = Callable[[ExecutedSQL], None]
_tell: ContextVar[Tell | None] = ContextVar("executed", default=None)


@contextmanager
def collect_sql(tell: Tell) -> Iterator[None]:
    """Within the block sites return the SQL of each list, and `tell` is called with it."""
    token = _tell.set(tell)
    try:
        yield
    finally:
        _tell.reset(token)


def with_debug(path: str, body: Any) -> Any:
    """The body with `debug` added, where somebody collects SQL and this path returns it."""
    if _tell.get() is None or path != TOLD_BY or not isinstance(body, dict):
        return body
    return {**body, "debug": True}


def tell_statements(path: str, response: Response) -> None:
    """Passes on the statements of a response; none where it holds none that are understood."""
    tell = _tell.get()
    if tell is None or path != TOLD_BY:
        return
    for one in statements(response.body):
        tell(one)


def statements(body: bytes) -> list[ExecutedSQL]:
    """The statements of a response; their times come before or after them, by version."""
    try:
        messages = msgspec.json.decode(
            msgspec.json.decode(body, type=_Debugged).messages, type=list[str]
        )
    except msgspec.DecodeError:
        return []
    found = [" ".join(one.split()) for one in messages if not one.startswith(TAKES)]
    times = [_seconds(one) for one in messages if one.startswith(TAKES)]
    paired = times if len(times) == len(found) else [None] * len(found)
    return [ExecutedSQL(sql, seconds) for sql, seconds in zip(found, paired, strict=True)]


def _seconds(message: str) -> float | None:
    """Of "Execution time: 0.02 sec" or "... 1.234 ms"."""
    number, _, unit = message.removeprefix(TAKES).partition(" ")
    try:
        return float(number) / (1000 if unit.startswith("ms") else 1)
    except ValueError:
        return None

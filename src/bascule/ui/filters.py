"""How numbers, times and sizes are written for people."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from markupsafe import Markup

UNITS = (
    ("year", 31_536_000),
    ("month", 2_592_000),
    ("day", 86_400),
    ("hour", 3_600),
    ("minute", 60),
)
HALF_A_MINUTE = 30  # what is in 30 days has been so for a moment when it is read


def ago(moment: datetime | str | None, never: str = "never") -> str | Markup:
    """ "5 minutes ago", "in 2 hours"; the exact time stands in the title. Scripts keep it true."""
    if moment is None:
        return never
    when = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    exact = when.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return Markup('<time datetime="{}" title="{}" data-ago>{}</time>').format(
        when.astimezone(UTC).isoformat(),
        exact,
        distance((datetime.now(UTC) - when).total_seconds()),
    )


def distance(seconds: float) -> str:
    """How long ago, or, where that is negative, how soon: "5 minutes ago", "in 2 hours"."""
    past = seconds >= 0
    left = seconds if past else HALF_A_MINUTE - seconds
    for unit, size in UNITS:
        if left >= size:
            count = int(left // size)
            words = f"{count} {unit}{'' if count == 1 else 's'}"
            return f"{words} ago" if past else f"in {words}"
    return "just now" if past else "in a moment"


def clock(moment: datetime | None) -> str | Markup:
    """Date and time, in UTC."""
    if moment is None:
        return "–"
    shown = moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    return Markup('<time datetime="{}">{}</time>').format(moment.isoformat(), shown)


def number(value: Any) -> str:
    """12,345; up to two decimals where there are any."""
    if value is None:
        return "–"
    if isinstance(value, float) and not value.is_integer():
        return f"{value:,.2f}"
    return f"{int(value):,}"


def exact(value: float) -> str:
    """12,345; at least two decimals where there are any, and as many as ERPNext stores."""
    if float(value).is_integer():
        return number(value)
    whole, _, decimals = f"{value:,.9f}".partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"


def seconds(value: float | None) -> str:
    """A duration: 0.4 s, 12 s, 3 min 05 s, 2 h 10 min."""
    if value is None:
        return "–"
    if value < 10:
        return f"{value:.1f} s"
    if value < 60:
        return f"{value:.0f} s"
    minutes, rest = divmod(int(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def size(value: int | None) -> str:
    """Bytes, in the unit that suits."""
    left = float(value or 0)
    for unit in ("B", "kB", "MB"):
        if left < 1000:
            return f"{left:.0f} {unit}" if unit == "B" else f"{left:.1f} {unit}"
        left /= 1000
    return f"{left:.1f} GB"


def cell(value: Any) -> str:
    """A value of a table's row as text; nothing for nothing."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return exact(value)
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, date):
        return value.isoformat()
    return str(value)


def plural(count: int, one: str, many: str = "") -> str:
    """ "1 row", "3 rows"."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


FILTERS: dict[str, Callable[..., Any]] = {
    "ago": ago,
    "clock": clock,
    "number": number,
    "seconds": seconds,
    "size": size,
    "cell": cell,
    "plural": plural,
}

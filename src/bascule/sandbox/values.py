"""How Frappe and MariaDB read loose values: numbers, dates and times that came as text."""

import re
from datetime import date, datetime, time, timedelta
from typing import Any

_MOMENT = re.compile(
    r"\s*(\d{4})-(\d{1,2})-(\d{1,2})(?:[ T]+(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{0,9}))?)?)?"
)
_NUMBER = re.compile(r"\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
NO_MOMENT = "0000-00-00 00:00:00"


def cint(value: Any) -> int:
    """Frappe's: what is no number is 0."""
    try:
        return int(float(value))
    except (TypeError, ValueError, OverflowError):
        return 0


def flt(value: Any) -> float:
    """Frappe's: thousands may be parted by commas, what is no number is 0."""
    if isinstance(value, str):
        value = value.replace(",", "")
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return 0.0


def number(value: Any) -> float:
    """MariaDB's: as much of the text as reads like a number, or 0."""
    if isinstance(value, int | float):
        return float(value)
    match = _NUMBER.match(str(value))
    return float(match[0]) if match else 0.0


def cstr(value: Any) -> str:
    return "" if value is None else str(value)


def moment(value: Any) -> datetime | None:
    """MariaDB's reading of a date or time: `T` or a space between, what follows is ignored."""
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime.combine(value, time())
    match = _MOMENT.match(cstr(value))
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    micros = int((match[7] or "").ljust(6, "0")[:6])
    try:
        return datetime(year, month, day, hour, minute, second, micros)
    except ValueError:
        return None


def moment_text(value: Any) -> str:
    """As a column holds it, without a fraction of zero; `0000-00-00 00:00:00` if it is none."""
    read = moment(value)
    return NO_MOMENT if read is None else str(read)


def date_text(value: Any) -> str:
    read = moment(value)
    return "0000-00-00" if read is None else str(read.date())


def time_text(value: Any) -> str:
    """`H:MM:SS.ffffff` without trailing zeros, as Frappe writes what MariaDB keeps as a TIME."""
    match = re.match(r"\s*(\d+):(\d+)(?::(\d+)(?:\.(\d+))?)?", cstr(value))
    if match is None:
        return "0:00:00"
    hours, minutes, seconds = int(match[1]), int(match[2]), int(match[3] or 0)
    fraction = (match[4] or "")[:6].rstrip("0")
    return f"{hours}:{minutes:02}:{seconds:02}" + (f".{fraction}" if fraction else "")


def sbool(value: Any) -> Any:
    """Frappe's: the texts of true and false become what they say, all else stays."""
    if isinstance(value, str):
        return {"true": True, "1": True, "false": False, "0": False}.get(value.lower(), value)
    return value


def days(number_of: int) -> timedelta:
    return timedelta(days=number_of)

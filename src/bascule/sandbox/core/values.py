"""How Frappe and MariaDB read loose values: numbers, dates and times that came as text."""

import re
from datetime import date, datetime, time, timedelta
from typing import Any

_CLOCK = r"(?:[ T]+(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{0,9}))?)?)?"
_MOMENT = re.compile(rf"\s*(\d{{4}})[-/.](\d{{1,2}})[-/.](\d{{1,2}}){_CLOCK}")
_DIGITS = re.compile(r"\s*(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d))?(\.\d+)?\s*")
_NUMBER = re.compile(r"\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_TIME = re.compile(
    r"\s*(?:\d{4}-\d\d-\d\d[ T]+)?(-)?"
    r"(?:(\d+):(\d{1,2})(?::(\d{1,2})(?:\.(\d+))?)?|(\d{1,7})(?![\d:]))"
)
_MOST_HOURS, _LAST = 838, 59
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


def is_number(text: str) -> bool:
    """Whether all of the text reads like a number to MariaDB."""
    match = _NUMBER.match(text)
    return bool(match and not text[match.end() :].strip())


def cstr(value: Any) -> str:
    return "" if value is None else str(value)


def moment(value: Any) -> datetime | None:
    """MariaDB's reading of a date or time: `T` or a space between, what follows is ignored."""
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime.combine(value, time())
    match = _MOMENT.match(cstr(value)) or _DIGITS.fullmatch(cstr(value))
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
    if read is None and re.fullmatch(r"\d{4}-\d\d-\d\d", cstr(value)):
        return cstr(value)  # with zeros for the month or the day
    return "0000-00-00" if read is None else str(read.date())


def time_of_day(value: Any) -> timedelta | None:
    """MariaDB's reading of a TIME: hours up to 838, also below zero; numbers are HHMMSS."""
    match = _TIME.match(cstr(value))
    if match is None:
        return None
    sign, hours, minutes, seconds, fraction, digits = match.groups()
    if digits is not None:
        digits = digits.zfill(6)
        hours, minutes, seconds = digits[:-4], digits[-4:-2], digits[-2:]
    if int(hours) > _MOST_HOURS or int(minutes) > _LAST or int(seconds or 0) > _LAST:
        return None
    micros = int((fraction or "").ljust(6, "0")[:6])
    read = timedelta(
        hours=int(hours), minutes=int(minutes), seconds=int(seconds or 0), microseconds=micros
    )
    return -read if sign else read


def time_text(value: Any) -> str:
    """`H:MM:SS`, or `H:MM:S.ffffff` without trailing zeros: as Frappe writes a TIME."""
    read = time_of_day(value) or timedelta()
    total = read.total_seconds()
    hours, rest = divmod(total, 3600)
    minutes, seconds = divmod(rest, 60)
    rounded = round(seconds, 6)
    shown = f"{int(rounded):02}" if rounded == int(seconds) else f"{rounded:02}"
    return f"{int(hours)}:{int(minutes):02}:{shown}"


def sbool(value: Any) -> Any:
    """Frappe's: the texts of true and false become what they say, all else stays."""
    if isinstance(value, str):
        return {"true": True, "1": True, "false": False, "0": False}.get(value.lower(), value)
    return value


def days(number_of: int) -> timedelta:
    return timedelta(days=number_of)

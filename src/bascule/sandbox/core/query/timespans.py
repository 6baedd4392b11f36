"""The periods that the filters Timespan, previous and next may name, as dates of a given day."""

from datetime import date, timedelta

from bascule.sandbox.core.errors import Refusal

_PERIODS = {
    **{"1 week": "week", "1 month": "month", "3 months": "quarter"},
    **{"6 months": "6 months", "1 year": "year"},
}


def _month(day: date, months: int) -> date:
    """The first of the month so many months from that day's."""
    count = day.year * 12 + day.month - 1 + months
    return date(count // 12, count % 12 + 1, 1)


def _quarter(day: date, months: int) -> date:
    moved = _month(day, months)
    return date(moved.year, (moved.month - 1) // 3 * 3 + 1, 1)


def _before(day: date) -> date:
    return day - timedelta(days=1)


def timespan(name: str, today: date) -> tuple[date, date] | None:
    """First and last day; None when Frappe knows no such span. Weeks begin on Sunday."""
    one = timedelta(days=1)
    sunday = today - timedelta(days=(today.weekday() + 1) % 7)
    single = {"yesterday": today - one, "today": today, "tomorrow": today + one}
    if name in single:
        return single[name], single[name]
    which, _, unit = name.partition(" ")
    step = {"last": -1, "this": 0, "next": 1}.get(which)
    if step is None:
        return None
    if unit == "week":
        start = sunday + timedelta(days=7 * step)
        return start, start + timedelta(days=6)
    if unit == "month":
        return _month(today, step), _before(_month(today, step + 1))
    if unit == "quarter":
        start = _quarter(today, 3 * step)
        return start, _before(_month(start, 3))
    if unit == "year":
        return date(today.year + step, 1, 1), date(today.year + step, 12, 31)
    if unit == "6 months" and step:
        first = _quarter(today, -6 if step < 0 else 3)
        last = _quarter(today, -3 if step < 0 else 6)
        return first, _before(_month(last, 3))
    return None


def span(operator: str, value: str, today: date) -> tuple[date, date] | None:
    """What `timespan`, `previous` or `next` with that value means; KeyError as Frappe's own."""
    if operator == "timespan":
        return timespan(value, today)
    if value not in _PERIODS:
        raise Refusal("KeyError", repr(value), module="", status=500)
    which = "last" if operator == "previous" else "next"
    return timespan(f"{which} {_PERIODS[value]}", today)

"""Schedules of connections, such as "daily at 06:30 Europe/Amsterdam": parsed, written, used."""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from functools import cache
from typing import Literal
from zoneinfo import ZoneInfo, available_timezones

from bascule.errors import Invalid

MAX_MINUTES = 7 * 24 * 60
NIGHT = time(2, 0)  # when sites are quiet, unless another hour is said
LAST_DAY = 28  # of a month: every month has it
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
SUNDAY = DAYS.index("sunday")
DEFAULT = "every 15 minutes"  # of a new connection
CHOICES = ("manual", DEFAULT, "hourly", "daily", "weekly", "monthly")
IN_WORDS = (
    'manual, "every N minutes", hourly, daily, weekly or monthly; the last three also as "daily at '
    '06:30 Europe/Amsterdam", "weekly on monday" or "monthly on 15".'
)
Kind = Literal["manual", "minutes", "hourly", "daily", "weekly", "monthly"]
_EVERY = re.compile(r"every\s+(?:([0-9]{1,6})\s*)?(?:minutes?|mins?|m)", re.ASCII)
_CLOCKED = re.compile(
    r"(?P<kind>daily|weekly|monthly)(?: on (?:the |day )?(?P<day>[a-z0-9]+))?"
    r"(?: at (?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2}))?(?: (?:in )?(?P<zone>[a-z0-9_+/-]+))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Frequency:
    """`day`: of the week, as `datetime.weekday()`, or of the month. `at`, in `zone`: when a daily,
    weekly or monthly one is due.
    """

    kind: Kind
    minutes: int = 0
    day: int = 0
    at: time = NIGHT
    zone: str = "UTC"

    def __str__(self) -> str:
        if self.kind == "minutes":
            return f"every {self.minutes} minutes"
        words: list[str] = [self.kind]
        if self.kind == "weekly" and self.day != SUNDAY:
            words.append(f"on {DAYS[self.day]}")
        if self.kind == "monthly" and self.day != 1:
            words.append(f"on {self.day}")
        if (self.at, self.zone) != (NIGHT, "UTC"):
            words.append(f"at {self.at:%H:%M}")
        if self.zone != "UTC":
            words.append(self.zone)
        return " ".join(words)

    def next_after(self, now: datetime, phase: timedelta) -> datetime | None:
        """The first time after `now` (UTC); None: manual."""
        if self.kind == "manual":
            return None
        if self.kind == "minutes":
            return now + timedelta(minutes=self.minutes)
        if self.kind == "hourly":
            return now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        zone = ZoneInfo(self.zone)
        day = now.astimezone(zone).date() - timedelta(days=1)  # whose phase may reach into this one
        while True:
            fits = {
                "weekly": day.weekday() == self.day,
                "monthly": day.day == self.day,
            }.get(self.kind, True)
            due = datetime.combine(day, self.at, tzinfo=zone).astimezone(UTC) + phase
            if fits and due > now:
                return due
            day += timedelta(days=1)

    def proof(self) -> "Frequency":
        """Once a day, an hour after the sync where that has an hour, so that it is about fresh
        rows; else in the night.
        """
        clocked = self.kind in ("daily", "weekly", "monthly")
        own = self if clocked else Frequency("daily")
        later = datetime.combine(datetime.min, own.at) + timedelta(hours=1)
        return replace(own, kind="daily", at=later.time())


def read(schedule: str) -> Frequency:
    """Parses a schedule. Invalid: it is none; the message lists those there are."""
    words = " ".join(schedule.lower().split())
    if words == "manual":
        return Frequency("manual")
    if words == "hourly":
        return Frequency("hourly")
    wrong = "is not one of manual, every N minutes, hourly, daily, weekly, monthly"
    if every := _EVERY.fullmatch(words):
        minutes = int(every[1] or 1)
        if 1 <= minutes <= MAX_MINUTES:
            return Frequency("minutes", minutes)
        wrong = f"takes from 1 to {MAX_MINUTES} minutes, which is a week"
    elif clocked := _CLOCKED.fullmatch(words):
        found = _clocked(clocked)
        if isinstance(found, Frequency):
            return found
        wrong = found
    raise Invalid(
        "This schedule is not understood.",
        next_step=f"Choose one of: {', '.join(CHOICES)}; or other minutes, up to {MAX_MINUTES}; or "
        "an hour and a time zone, as in 'daily at 06:30 Europe/Amsterdam', 'weekly on monday' or "
        f"'monthly on 15' (to {LAST_DAY}).",
        fields={"schedule": wrong},
    )


def _clocked(said: re.Match[str]) -> Frequency | str:
    """A daily, weekly or monthly schedule; a text says what is wrong with it."""
    kind, day, zone = said["kind"], said["day"], zones().get(said["zone"] or "utc")
    hour, minute = int(said["hour"] or NIGHT.hour), int(said["minute"] or 0)
    if zone is None:
        return f"names {said['zone']}, which is no time zone; one is Europe/Amsterdam"
    if hour > 23 or minute > 59:
        return f"names {hour}:{minute:02}, which no clock shows"
    if day and kind == "daily":
        return "is daily, and so not on one day"
    number = 0
    if kind == "weekly":
        if day and day not in DAYS:
            return f"names {day}, which is none of {', '.join(DAYS)}"
        number = DAYS.index(day) if day else SUNDAY
    elif kind == "monthly":
        number = 1 if not day else int(day) if day.isdigit() else 0
        if not 1 <= number <= LAST_DAY:
            return f"is on a day from 1 to {LAST_DAY}, which every month has"
    return Frequency(kind, 0, number, time(hour, minute), zone)  # type: ignore[arg-type]


@cache
def zones() -> dict[str, str]:
    """The names of time zones as they are written, by the same in small letters."""
    return {name.lower(): name for name in available_timezones() | {"UTC"}}


def parts_of(schedule: str) -> tuple[str, str, str]:
    """What a form shows in boxes of its own: how often, at what hour, in which time zone. Takes
    what is no schedule too.
    """
    often, _, clock = schedule.partition(" at ")
    at, _, zone = clock.partition(" ")
    return often, at, zone


def joined(often: str, at: str, zone: str) -> str:
    """The schedule that these three inputs make."""
    at, zone = at.strip(), zone.strip()
    if not often.startswith(("daily", "weekly", "monthly")) or not (at or zone):
        return often
    return f"{often} at {at or f'{NIGHT:%H:%M}'} {zone}".strip()

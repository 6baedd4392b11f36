"""When a connection is next due."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from bascule.connections.schedules import next_time, next_verify, parse
from bascule.errors import Invalid

FRIDAY = datetime(2026, 11, 20, 22, 48, 17, tzinfo=UTC)


@pytest.mark.parametrize(
    ("schedule", "due"),
    [
        ("manual", None),
        ("every 15 minutes", datetime(2026, 11, 20, 23, 3, 17, tzinfo=UTC)),
        ("every minute", datetime(2026, 11, 20, 22, 49, 17, tzinfo=UTC)),
        ("hourly", datetime(2026, 11, 20, 23, 0, tzinfo=UTC)),
        ("daily", datetime(2026, 11, 21, 2, 0, tzinfo=UTC)),
        ("weekly", datetime(2026, 11, 22, 2, 0, tzinfo=UTC)),
        ("monthly", datetime(2026, 12, 1, 2, 0, tzinfo=UTC)),
        ("daily at 23:00", datetime(2026, 11, 20, 23, 0, tzinfo=UTC)),
        ("daily at 06:30 Europe/Amsterdam", datetime(2026, 11, 21, 5, 30, tzinfo=UTC)),
        ("weekly on monday at 00:15 Asia/Kolkata", datetime(2026, 11, 22, 18, 45, tzinfo=UTC)),
        ("monthly on 20 at 22:00", datetime(2026, 12, 20, 22, 0, tzinfo=UTC)),
    ],
)
def test_the_next_time_is_as_the_schedule_says(schedule: str, due: datetime | None) -> None:
    assert next_time(schedule, FRIDAY) == due


def test_a_time_that_is_just_reached_is_over() -> None:
    at_two = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
    assert next_time("daily", at_two) == at_two + timedelta(days=1)
    assert next_time("weekly", at_two) == at_two + timedelta(days=7)
    assert next_time("weekly", at_two - timedelta(seconds=1)) == at_two


def test_the_hub_s_own_zone_does_not_matter() -> None:
    in_tokyo = FRIDAY.astimezone(timezone(timedelta(hours=9)))
    assert next_time("daily", in_tokyo) == next_time("daily", FRIDAY)


def test_a_manual_connection_is_left_alone_and_others_are_proven_daily() -> None:
    assert next_verify("manual", FRIDAY) is None
    assert next_verify("weekly", FRIDAY) == datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("Daily", "daily"),
        ("  every   5  min ", "every 5 minutes"),
        ("EVERY MINUTE", "every 1 minutes"),
        ("daily at 2:00 utc", "daily"),
        ("Daily at 6:30 in europe/amsterdam", "daily at 06:30 Europe/Amsterdam"),
        ("Weekly on Sunday", "weekly"),
        ("weekly on Monday", "weekly on monday"),
        ("monthly on the 15", "monthly on 15"),
        ("monthly on day 1 at 02:00", "monthly"),
        ("every 10080 minutes", "every 10080 minutes"),
    ],
)
def test_a_schedule_may_be_said_loosely(said: str, meant: str) -> None:
    assert parse(said) == meant


def test_an_hour_follows_summer_time_and_a_proof_the_hour() -> None:
    schedule = "daily at 06:30 Europe/Amsterdam"
    before = datetime(2026, 3, 28, 12, 0, tzinfo=UTC)  # summer time begins in that night
    assert next_time(schedule, before) == datetime(2026, 3, 29, 4, 30, tzinfo=UTC)
    assert next_verify(schedule, before) == datetime(2026, 3, 29, 5, 30, tzinfo=UTC)
    # An hour that this day has not, and the phase of a connection that reaches into the next day.
    missing = next_time("daily at 02:30 Europe/Amsterdam", before)
    assert missing == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    late = datetime(2026, 3, 29, 0, 10, tzinfo=UTC)
    phase = timedelta(minutes=45)
    assert next_time("daily at 23:30", late, phase=phase) == datetime(
        2026, 3, 29, 0, 15, tzinfo=UTC
    )


@pytest.mark.parametrize(
    "nonsense",
    [
        "",
        "yearly",
        "every 0 minutes",
        "every -5 minutes",
        "every 10081 minutes",
        "every ٣ minutes",
        "daily at 24:00",
        "daily at 06:60",
        "daily at 06:30 Mars/Base",
        "daily on monday",
        "weekly on 3",
        "monthly on 29",
        "monthly on 0",
        "monthly on monday",
        "hourly at 03:00",
    ],
)
def test_what_is_no_schedule_is_refused_with_the_choices(nonsense: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse(nonsense)
    assert "every 15 minutes" in refused.value.next_step
    assert set(refused.value.fields) == {"schedule"}


@pytest.mark.parametrize(
    ("schedule", "wrong"),
    [
        ("every 0 minutes", "from 1 to 10080 minutes"),
        ("every 99999 minutes", "from 1 to 10080 minutes"),
        ("daily at 25:00", "25:00, which no clock shows"),
        ("daily at 06:75", "6:75, which no clock shows"),
        ("daily on monday", "not on one day"),
        ("daily at 06:30 Europe/Nowhere", "europe/nowhere, which is no time zone"),
        ("weekly on someday", "someday, which is none of monday"),
        ("monthly on 31", "from 1 to 28"),
        ("fortnightly", "is not one of manual, every N minutes"),
    ],
)
def test_a_schedule_that_is_none_is_told_what_is_wrong_with_it(schedule: str, wrong: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse(schedule)
    assert wrong in refused.value.fields["schedule"]

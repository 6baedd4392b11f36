"""A stream that only a person can mend is asked for more and more seldom, and by hand at once."""

from collections.abc import Callable
from typing import Any

from bascule.mirror.runs.execution import logs_of
from bascule.mirror.setup import change
from bascule.mirror.streams.settings import change_stream, find_stream
from bascule.mirror.tables import Stream

BROKEN = [["colour_of_the_moon", "=", "1"]]


async def stream_of(mirror: Any) -> Stream:
    async with mirror.hub.db.session() as session:
        stream = await find_stream(session, mirror.connection, "Supplier")
        session.expunge(stream)
    return stream


async def minutes_of_rest(mirror: Any, run: Any) -> int:
    stream = await stream_of(mirror)
    assert stream.retry_at is not None
    return round((stream.retry_at - run.finished_at).total_seconds() / 60)


async def long_after(mirror: Any) -> None:
    await mirror.execute("UPDATE bascule.streams SET retry_at = now() - interval '1 second'")


async def test_it_rests_longer_each_time_until_it_is_mended(mirrored: Callable[..., Any]) -> None:
    mirror = await mirrored()
    await change_stream(mirror.hub, mirror.connection, await stream_of(mirror), {"filters": BROKEN})
    [run] = await mirror.sync("Supplier", trigger="schedule")
    assert run.outcome == "failed"
    assert await minutes_of_rest(mirror, run) == 10
    async with mirror.hub.db.session() as session:
        told = (await logs_of(session, run.id))[-1].message
    assert "bascule sync --stream 'Supplier'" in told
    for trigger in ("schedule", "webhook"):
        assert await mirror.sync("Supplier", trigger=trigger) == []
    assert len(await mirror.sync("Supplier", kind="repair", trigger="schedule")) == 0

    [by_hand] = await mirror.sync("Supplier")
    assert by_hand.outcome == "failed"
    assert await minutes_of_rest(mirror, by_hand) == 20
    for minutes in (40, 80, 160, 320, 640, 1280, 1440, 1440):
        await long_after(mirror)
        [later] = await mirror.sync("Supplier", trigger="schedule")
        assert await minutes_of_rest(mirror, later) == minutes

    mended: dict[str, Any] = {"filters": []}
    await change_stream(mirror.hub, mirror.connection, await stream_of(mirror), mended)
    [well] = await mirror.sync("Supplier", trigger="schedule")
    assert well.outcome == "done", well.error
    stream = await stream_of(mirror)
    assert (stream.failures, stream.retry_at) == (0, None)


async def test_a_right_that_is_given_back_ends_the_rest_by_hand_or_with_new_keys(
    mirrored: Callable[..., Any],
) -> None:
    mirror = await mirrored()
    mirror.site.faults.add("forbidden", doctype="Supplier")
    for _ in range(2):
        await mirror.sync("Supplier", trigger="schedule")
    assert (await stream_of(mirror)).failures == 1
    assert await mirror.sync("Supplier", trigger="schedule") == []
    assert len(await mirror.sync("Item", trigger="schedule")) == 1  # the others go on
    mirror.site.faults.clear()
    [by_hand] = await mirror.sync("Supplier")
    assert by_hand.outcome == "done", by_hand.error
    assert (await stream_of(mirror)).retry_at is None

    mirror.site.faults.add("forbidden", doctype="Supplier")
    await mirror.sync("Supplier", trigger="schedule")
    mirror.site.faults.clear()
    await change(mirror.hub, mirror.connection, {"max_concurrency": 3}, by=None, test=False)
    [scheduled] = await mirror.sync("Supplier", trigger="schedule")
    assert scheduled.outcome == "done", scheduled.error


async def test_a_site_that_is_down_is_asked_at_each_turn(mirrored: Callable[..., Any]) -> None:
    mirror = await mirrored()
    mirror.site.faults.add("maintenance")
    for _ in range(2):
        [run] = await mirror.sync("Supplier", trigger="schedule")
        assert run.outcome == "failed"
    assert (await stream_of(mirror)).retry_at is None

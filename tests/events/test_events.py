"""What happens is told as it happens, to those who may see it, and to who was away for a while."""

from collections.abc import Callable
from typing import Any

import pytest

from bascule.app import create_app
from bascule.events import live
from bascule.hub import Hub
from bascule.serving import serving
from tests.api.listener import Listener
from tests.kit.api import Api
from tests.kit.hub import RunningHub


@pytest.fixture
def listen(running_hub: RunningHub) -> Callable[..., Listener]:
    def begin(path: str = "/api/events", **headers: str) -> Listener:
        return Listener(running_hub.url, running_hub.token, path, **headers)

    return begin


def test_a_sync_is_told_from_its_start_to_its_end(
    api: Api, connect: Callable[..., Any], listen: Callable[..., Listener]
) -> None:
    shop = connect()
    with listen() as browser:
        started = api.post("/api/connectors/sync", {"connector_id": shop["id"]}).json
        run_id = started["run_ids"][0]
        for outcome in ("queued", "running", "done"):
            told = browser.hears(
                lambda t, outcome=outcome: bool(
                    t.kind == "run"
                    and t.data["run_id"] == run_id
                    and t.data["outcome"] == outcome
                    and t.id is not None
                )
            )
            assert told.data["connection_id"] == shop["id"]
        browser.hears(lambda t: t.kind == "run" and t.data.get("rows_read", 0) > 0)
        browser.hears(lambda t: t.kind == "log" and t.data["run_id"] == run_id)
        browser.hears(lambda t: t.kind == "stream" and t.data["change"] == "synced")


def test_a_connection_is_told_of_when_it_comes_changes_and_goes(
    api: Api, connect: Callable[..., Any], listen: Callable[..., Listener]
) -> None:
    with listen() as browser:
        shop = connect()
        path = f"/api/connectors/{shop['slug']}"
        assert api.patch(path, {"lookback_days": 7}).status == 200
        assert api.delete(path).status == 200
        for change in ("added", "changed", "deleted"):
            browser.hears(
                lambda t, change=change: bool(
                    t.kind == "connection"
                    and t.data["connection_id"] == shop["id"]
                    and t.data.get("change") == change
                )
            )


def test_who_comes_back_is_told_what_was_missed(
    api: Api, connect: Callable[..., Any], listen: Callable[..., Listener]
) -> None:
    with listen() as browser:
        connect()
        heard = browser.hears(lambda t: t.kind == "connection").id
    missed = connect()
    with listen(**{"Last-Event-ID": str(heard)}) as browser:
        browser.hears(lambda t: t.kind == "connection" and t.data["connection_id"] == missed["id"])
        assert all(t.id != heard for t in browser.told)


def test_who_was_away_for_too_long_is_told_to_begin_anew(
    listen: Callable[..., Listener],
) -> None:
    with listen("/api/events?after=999999999") as browser:
        assert browser.hears(lambda t: t.kind == "reset").id is not None


def test_an_event_of_a_slow_transaction_is_not_missed_by_who_heard_a_later_one(
    running_hub: RunningHub, listen: Callable[..., Listener]
) -> None:
    """Its id is smaller than the last one heard, because it was given out before."""

    async def overtaken() -> int:
        db = running_hub.hub.db
        async with db.connection() as slow, db.connection() as quick:
            await live.publish(slow, "user", user_id=1, change="slow")
            await live.publish(quick, "user", user_id=1, change="quick")
            await quick.commit()
            return await live.position(quick)

    heard = running_hub.run(overtaken())
    with listen(f"/api/events?after={heard}") as browser:
        browser.hears(lambda t: t.data.get("change") == "slow")
        assert all(t.data.get("change") != "quick" for t in browser.told)


def test_nothing_is_told_of_what_was_rolled_back(
    running_hub: RunningHub, listen: Callable[..., Listener]
) -> None:
    async def undone() -> None:
        async with running_hub.hub.db.connection() as conn:
            await live.publish(conn, "user", user_id=1, change="undone")
            await conn.rollback()
            await live.publish(conn, "user", user_id=1, change="kept")

    with listen() as browser:
        running_hub.run(undone())
        browser.hears(lambda t: t.data.get("change") == "kept")
        assert all(t.data.get("change") != "undone" for t in browser.told)


def test_fifty_browsers_share_one_connection_to_the_database(
    running_hub: RunningHub, listen: Callable[..., Listener]
) -> None:
    async def listening() -> int:
        async with running_hub.hub.db.connection() as conn:
            found = await conn.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND query = 'LISTEN bascule'"
            )
            row = await found.fetchone()
            return int(row[0]) if row else 0

    browsers = [listen().__enter__() for _ in range(50)]
    try:
        assert running_hub.run(listening()) == 1
    finally:
        for browser in browsers:
            browser.__exit__()


def test_the_ear_finds_the_database_again_and_makes_good_what_it_missed(
    running_hub: RunningHub, listen: Callable[..., Listener]
) -> None:
    async def cut_and_tell() -> None:
        async with running_hub.hub.db.connection() as conn:
            await conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND query = 'LISTEN bascule'"
            )
            await live.publish(conn, "user", user_id=1, change="while deaf")

    with listen() as browser:
        running_hub.run(cut_and_tell())
        browser.hears(lambda t: t.data.get("change") == "while deaf")


async def test_open_streams_do_not_hold_a_stop_up(hub: Hub) -> None:
    import asyncio

    from bascule.accounts.tokens import issue_token

    async with hub.db.session() as session:
        token = await issue_token(session, "tests")
    async with serving(create_app(hub=hub), "127.0.0.1", 0) as url:
        browsers = [
            await asyncio.to_thread(lambda: Listener(url, token).__enter__()) for _ in range(3)
        ]
    for browser in browsers:
        assert browser.ended.wait(30)
        assert not browser.cut_off  # what the server does to those that hold it up
        await asyncio.to_thread(browser.__exit__)


def test_a_stream_wants_a_token(stranger: Api) -> None:
    assert stranger.get("/api/events").status == 401

"""Files that nobody reads hold up nobody else: each person has some at a time, and all together."""

import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from bascule.accounts.downloads import PER_PERSON
from bascule.accounts.people import users
from bascule.accounts.tokens import issue_token
from bascule.connections.tables import Connection
from bascule.hub import Hub
from bascule.store.database import DOWNLOADS
from tests.security.hub_process import HubProcess, head_of, hub_process, request, until_over

pytestmark = pytest.mark.processes

ROWS, WIDE = 16_000, 1_000  # 16 MB, more than sockets hold
FILE = "/api/connectors/attacked/rows/large.csv"


@pytest.fixture
async def tokens(hub: Hub) -> list[str]:
    """Of five people, who may read a mirror with a large table."""
    made = []
    async with hub.db.session() as session:
        session.add(
            Connection(
                slug="attacked",
                name="Attacked",
                api_url="http://127.0.0.1:9",
                api_key_encrypted=hub.vault.encrypt("key"),
                api_secret_encrypted=hub.vault.encrypt("secret"),
                schedule="manual",
            )
        )
        for _ in range(5):
            user, _ = await users.invite(session, f"reader-{uuid4().hex[:8]}", role="viewer")
            made.append(await issue_token(session, "tests", user))
    async with hub.db.connection() as conn:
        await conn.execute("CREATE SCHEMA attacked")
        await conn.execute(
            "CREATE TABLE attacked.large AS SELECT 'R' || (100000 + g) AS name,"
            f" repeat('x', {WIDE}) AS body FROM generate_series(1, {ROWS}) g"
        )
        await conn.execute("ALTER TABLE attacked.large ADD PRIMARY KEY (name)")
    return made


def begun(hub: HubProcess, token: str) -> tuple[socket.socket, str]:
    """A download of which only the headers are read."""
    connection = hub.socket(request(FILE, token))
    return connection, head_of(connection)


async def being_read(hub: Hub) -> int:
    async with hub.db.connection() as conn:
        found = await conn.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND query ILIKE 'copy%%' AND state <> 'idle'"
        )
        row = await found.fetchone()
        return int(row[0]) if row else 0


async def test_forty_downloads_that_nobody_reads_hold_up_nobody(
    hub: Hub, tokens: list[str], tmp_path: Path
) -> None:
    with ExitStack() as stack:
        running = stack.enter_context(hub_process(hub.settings, tmp_path / "log"))
        running.until_well()
        pool = stack.enter_context(ThreadPoolExecutor(40))
        downloads = list(pool.map(lambda n: begun(running, tokens[n % 4]), range(40)))
        for connection, _ in downloads:
            stack.callback(connection.close)
        statuses = Counter(head.split()[1] for _, head in downloads)
        assert statuses["200"] == DOWNLOADS
        assert statuses.keys() == {"200", "429", "503"}
        for _, head in downloads:
            assert head.split()[1] == "200" or "retry-after: 30" in head.lower(), head
        assert await being_read(hub) == DOWNLOADS
        # All else goes on as if nothing were.
        assert running.health(within=10) == (200, running.health()[1])
        assert running.health()[1]["worker"]["alive"]
        for path in (
            "/api/connectors",
            "/api/connectors/attacked/rows/large?limit=5",
            "/api/needs",
        ):
            assert running.ask(path, tokens[0], within=10)[0] == 200
        assert running.ask("/sign-in", within=10)[0] == 200
        unsigned = running.ask("/api/webhooks/erpnext/customers", method="POST", within=10)
        assert unsigned[0] == 401
        status, headers, body = running.ask(FILE, tokens[4])
        assert (status, headers["retry-after"]) == (503, "30")
        assert b"half a minute" in body


async def test_one_person_takes_no_more_than_theirs_and_the_others_go_on(
    hub: Hub, tokens: list[str], tmp_path: Path
) -> None:
    with ExitStack() as stack:
        running = stack.enter_context(hub_process(hub.settings, tmp_path / "log", "serve"))
        pool = stack.enter_context(ThreadPoolExecutor(16))
        downloads = list(pool.map(lambda _: begun(running, tokens[0]), range(16)))
        for connection, _ in downloads:
            stack.callback(connection.close)
        statuses = Counter(head.split()[1] for _, head in downloads)
        assert statuses == {"200": PER_PERSON, "429": 16 - PER_PERSON}
        status, headers, body = running.ask(FILE, tokens[1])
        assert status == 200
        assert body.count(b"\n") == ROWS + 1
        assert "attacked-large.csv" in headers["content-disposition"]


async def test_who_takes_nothing_is_dropped_and_who_is_slow_gets_it_all(
    hub: Hub, tokens: list[str], tmp_path: Path
) -> None:
    stalls: dict[str, Any] = {"BASCULE_STALL_SECONDS": "2"}
    with (
        ExitStack() as stack,
        hub_process(hub.settings, tmp_path / "log", "serve", **stalls) as running,
    ):
        slow, head = begun(running, tokens[1])
        stalled = [begun(running, tokens[0])[0] for _ in range(PER_PERSON)]
        for connection in (slow, *stalled):
            stack.callback(connection.close)
        assert " 200 " in head
        read, started = 0, time.monotonic()
        while piece := slow.recv(65536):
            read += len(piece)
            behind = read / 2_000_000 - (time.monotonic() - started)  # two megabytes a second
            if behind > 0:
                time.sleep(behind)
            if read > ROWS * WIDE and b"0\r\n\r\n" in piece:
                break
        assert read > ROWS * WIDE
        assert await being_read(hub) == 0
        for connection in stalled:
            assert len(until_over(connection)) < ROWS * WIDE
        assert running.ask(FILE, tokens[0])[0] == 200
        assert "took nothing for" in running.log.read_text()


async def test_the_server_ends_a_download_at_last_whatever_became_of_the_hub(hub: Hub) -> None:
    async with hub.db.downloads.connection() as conn:
        for setting, told in (
            ("statement_timeout", "1h"),
            ("idle_in_transaction_session_timeout", "10min"),
        ):
            row = await (await conn.execute(f"SHOW {setting}")).fetchone()
            assert row == (told,)
    async with hub.db.connection() as conn:
        row = await (await conn.execute("SHOW statement_timeout")).fetchone()
        assert row == ("0",)

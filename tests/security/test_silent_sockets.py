"""Who connects and says nothing, or little, takes nobody's place; and the log stays small."""

import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from bascule.accounts.tokens import issue_token
from bascule.hub import Hub
from bascule.settings import Settings
from tests.security.hub_process import HubProcess, head_of, hub_process, request, until_over

pytestmark = pytest.mark.processes

SILENT = 1_100
SMALL = 100_000  # bytes of a log


@pytest.fixture
def many_files() -> Iterator[None]:
    """This process has the other ends of the sockets."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 4 * SILENT:
        pytest.skip(f"NOT TESTED: this machine lets a process open {hard} files only")
    resource.setrlimit(resource.RLIMIT_NOFILE, (4 * SILENT, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def from_address(hub: HubProcess, address: str, said: bytes = b"") -> socket.socket:
    made = socket.create_connection(hub.place, timeout=60, source_address=(address, 0))
    made.sendall(said)
    return made


@pytest.mark.usefixtures("many_files")
@pytest.mark.parametrize("files", [(1024, 1024), (1024, 4096)], ids=["no more", "more"])
async def test_more_silent_sockets_than_files_stop_nothing(
    hub: Hub, tmp_path: Path, files: tuple[int, int]
) -> None:
    async with hub.db.session() as session:
        token = await issue_token(session, "tests")
    with ExitStack() as stack:
        wide: dict[str, Any] = {"BASCULE_SOCKETS_PER_ADDRESS": "5000", "BASCULE_SOCKETS": "5000"}
        running = stack.enter_context(
            hub_process(hub.settings, tmp_path / "log", files=files, **wide)
        )
        running.until_well()
        for _ in range(SILENT):
            stack.enter_context(running.socket())
        for _ in range(20):
            assert running.health(within=10)[0] == 200
        for path in ("/api/connectors", "/api/needs", "/api/settings/two-way"):
            assert running.ask(path, token, within=10)[0] in (200, 404)
        assert running.ask("/sign-in", within=10)[0] == 200
        assert running.health()[1]["status"] == "ok"
        assert running.log.stat().st_size < SMALL


def test_a_request_that_trickles_in_is_not_waited_for(settings: Settings, tmp_path: Path) -> None:
    quick: dict[str, Any] = {"BASCULE_REQUEST_SECONDS": "1"}
    with ExitStack() as stack:
        running = stack.enter_context(hub_process(settings, tmp_path / "log", "serve", **quick))
        sign_in = (
            b"POST /api/auth/login HTTP/1.1\r\nHost: hub\r\nContent-Type: application/json\r\n"
        )
        silent, half_a_head, half_a_body = (
            stack.enter_context(running.socket(said))
            for said in (
                b"",
                b"GET /health HTTP/1.1\r\nHost: hub\r\nX-",
                sign_in + b"Content-Length: 900000\r\n\r\n{",
            )
        )
        assert until_over(silent) == b""
        for trickling in (half_a_head, half_a_body):
            said = until_over(trickling)
            assert said.startswith(b"HTTP/1.1 408"), said
            assert b'"next_step"' in said
        second = stack.enter_context(running.socket(request("/health")))
        assert " 200 " in head_of(second)
        second.sendall(b"GET /hea")  # and then no more of it
        assert b"HTTP/1.1 408" in until_over(second)
        assert running.health()[0] == 200


def test_one_address_takes_the_places_of_nobody_else(settings: Settings, tmp_path: Path) -> None:
    few: dict[str, Any] = {
        "BASCULE_SOCKETS_PER_ADDRESS": "20",
        "BASCULE_TRUSTED_PROXIES": "127.0.0.3",
    }
    with ExitStack() as stack:
        running = stack.enter_context(hub_process(settings, tmp_path / "log", "serve", **few))
        proxied = [stack.enter_context(from_address(running, "127.0.0.3")) for _ in range(60)]
        other = stack.enter_context(from_address(running, "127.0.0.4"))
        silent = [stack.enter_context(from_address(running, "127.0.0.2")) for _ in range(30)]
        asking = stack.enter_context(from_address(running, "127.0.0.2", request("/health")))
        assert " 200 " in head_of(asking)  # a place is made for it, by the ones that say nothing
        for gone in silent[:10]:
            assert until_over(gone) == b""
        for here in (*silent[11:], *proxied, other):
            here.sendall(request("/health"))
            assert " 200 " in head_of(here)


async def test_where_all_are_at_work_another_is_told_so(hub: Hub, tmp_path: Path) -> None:
    async with hub.db.session() as session:
        token = await issue_token(session, "tests")
    with ExitStack() as stack:
        few: dict[str, Any] = {"BASCULE_SOCKETS": "16"}
        running = stack.enter_context(hub_process(hub.settings, tmp_path / "log", "serve", **few))
        watching = [
            stack.enter_context(running.socket(request("/api/events", token))) for _ in range(16)
        ]
        for one in watching:
            assert " 200 " in head_of(one)
        with running.socket(request("/health")) as refused:
            said = until_over(refused)
        assert said.startswith(b"HTTP/1.1 503")
        assert b"retry-after" in said
        watching[0].close()
        running.until_answers()
        for one in watching[1:]:
            one.settimeout(0.2)
            with pytest.raises(TimeoutError):  # they are still told of what happens
                while one.recv(4096):
                    pass


def test_answers_that_nobody_reads_take_no_places(settings: Settings, tmp_path: Path) -> None:
    """Of a file that anybody may have, by somebody who never signed in."""
    files = (300, 300)
    with ExitStack() as stack:
        running = stack.enter_context(hub_process(settings, tmp_path / "log", "serve", files=files))
        for _ in range(320):
            stack.enter_context(running.socket(request("/static/echarts.min.js")))
        running.until_answers()
        for _ in range(20):
            assert running.health(within=10)[0] == 200
        assert running.log.stat().st_size < SMALL


def test_nonsense_said_over_and_over_does_not_fill_the_log(
    settings: Settings, tmp_path: Path
) -> None:
    with hub_process(settings, tmp_path / "log", "serve") as running:
        for _ in range(3_000):
            with socket.create_connection(running.place, timeout=60) as connection:
                connection.sendall(b"\0\1\2\r\n\r\n")
                assert b"400" in until_over(connection)
        assert running.health()[0] == 200
        assert running.log.stat().st_size < SMALL


def test_the_hub_opens_as_many_files_as_it_may(settings: Settings, tmp_path: Path) -> None:
    with hub_process(settings, tmp_path / "log", "serve", files=(256, 2048)) as running:
        told = Path(f"/proc/{running.process.pid}/limits")
        if not told.exists():
            pytest.skip("NOT TESTED: this system does not tell a process's limits")
        [line] = [line for line in told.read_text().splitlines() if "open files" in line]
        assert line.split()[3:5] == ["2048", "2048"]

"""What runs until it is told to stop: together in one process, or split."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.kit.api import Api
from tests.kit.command import Bascule, way_in
from tests.kit.waiting import until


@pytest.fixture
def start(kills: None) -> Iterator[Callable[..., tuple["subprocess.Popen[str]", Any]]]:
    """Starts a verb with --json and reads the one document that it begins with."""
    running: list[subprocess.Popen[str]] = []

    def start(bascule: Bascule, *arguments: str) -> tuple["subprocess.Popen[str]", Any]:
        process = bascule.start(*arguments, "--json")
        running.append(process)
        assert process.stdout is not None
        return process, read_document(process)

    yield start
    for process in running:
        process.kill()
        process.communicate()


def read_document(process: "subprocess.Popen[str]") -> Any:
    text = ""
    assert process.stdout is not None
    while True:
        line = process.stdout.readline()
        if not line:
            raise AssertionError(process.communicate()[1] + text)
        text += line
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            continue


def ask(url: str, token: str | None = None) -> tuple[int, Any]:
    answer = Api(url, token).get("")
    return answer.status, answer.json


def is_ok(url: str) -> bool:
    """In the end: its worker is there a moment after it answers."""
    return until(lambda: ask(f"{url}/health")[1]["status"] == "ok", pause=0.2)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_up_serves_and_works_and_stops_when_told(
    make_bascule: Callable[..., Bascule], start: Any, number: signal.Signals
) -> None:
    bascule = make_bascule()
    process, told = start(bascule, "up", "--port", "0")
    assert is_ok(told["url"])
    assert ask(f"{told['url']}/api/connectors/status")[0] == 401
    token = bascule("token").out.strip()
    status, answer = ask(f"{told['url']}/api/connectors/status", token)
    assert (status, answer["connectors"]) == (200, [])
    os.kill(process.pid, number)
    assert process.wait(timeout=60) == 0, process.communicate()[1]
    assert bascule.all_gone() == {}


def test_the_image_listens_and_is_looked_after_on_the_port_that_it_is_told(
    make_bascule: Callable[..., Bascule], start: Any
) -> None:
    dockerfile = (Path(__file__).parents[2] / "Dockerfile").read_text()
    image = dict(re.findall(r"\b([A-Z_]+)=(\S+)", dockerfile))
    for ours in ("BASCULE_DATA_DIR", "BASCULE_HOST"):
        del image[ours]
    port = a_free_port()
    bascule = make_bascule(**image, CONNECTORS_SERVICE_PORT=str(port))
    _, told = start(bascule, "up")
    assert told["url"].endswith(f":{port}")
    command = re.search(r"HEALTHCHECK.*?CMD (\[.*?\])$", dockerfile, re.DOTALL | re.MULTILINE)
    assert command is not None
    _, *arguments = json.loads(command[1])

    def looked_at(port: int) -> int:
        environment = {**bascule.environment, "CONNECTORS_SERVICE_PORT": str(port)}
        return subprocess.run([sys.executable, *arguments], env=environment, check=False).returncode

    until(lambda: looked_at(port) == 0)  # once is enough for Docker too
    assert looked_at(1) == 1


def a_free_port() -> int:
    """Below those that the system gives out, or somebody might be given it before it is used."""
    for port in range(20_000 + os.getpid() % 5_000, 32_000):
        with suppress(OSError):
            socket.create_server(("127.0.0.1", port)).close()
            return port
    raise AssertionError("no port is free")


def test_serve_and_worker_are_the_same_in_two_processes(
    make_bascule: Callable[..., Bascule], start: Any, site: Any
) -> None:
    bascule = make_bascule()
    web, told = start(bascule, "serve", "--port", "0")
    assert ask(f"{told['url']}/health")[1]["status"] == "degraded"
    worker, _ = start(bascule, "worker", "--concurrency", "2")
    assert is_ok(told["url"])
    said = bascule("connect", "--name", "Shop", "--no-orders", "--json", **way_in(site))
    assert said.code == 0, said.err
    for process in (worker, web):
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0, process.communicate()[1]
    assert bascule.all_gone() == {}


def test_a_sandbox_tells_its_address_and_stops(
    make_bascule: Callable[..., Bascule], start: Any
) -> None:
    process, told = start(make_bascule(), "sandbox")
    user = told["users"]["hub"]
    request = urllib.request.Request(
        f"{told['url']}/api/method/frappe.auth.get_logged_user",
        headers={"Authorization": f"token {user['api_key']}:{user['api_secret']}"},
    )
    with urllib.request.urlopen(request) as response:
        assert json.load(response)["message"] == user["name"]
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 0


def test_an_interrupted_sync_says_so(bascule: Bascule, site: Any) -> None:
    latency = site.faults.add("latency", seconds=30, times=1_000)
    try:
        process = bascule.start("sync", "--full")
        while latency.times == 1_000 and process.poll() is None:  # until it asks the site
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    finally:
        site.faults.clear()
    assert process.returncode == 130, errors
    assert "Interrupted" in errors
    assert "Traceback" not in errors
    assert bascule.all_gone() == {}
    assert bascule("sync", "--full").code == 0

"""The demo from end to end: it comes up, shows what arrived, keeps in step, and leaves nothing."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import datetime, timedelta
from pathlib import Path
from queue import Empty, Queue
from typing import Any
from urllib.parse import quote

import pytest

from bascule.cli.demo.site import SITE_PORT
from tests.kit.command import Bascule

pytestmark = pytest.mark.kills


@pytest.fixture(scope="module")
def demo(make_bascule: Callable[..., Bascule]) -> Bascule:
    return make_bascule()


@pytest.fixture(scope="module")
def first(demo: Bascule) -> Any:
    said = demo("demo", "--once", "--json")
    assert said.code == 0, said.err
    return said.json


class Running:
    """A demo that goes on, and the lines it prints."""

    def __init__(self, bascule: Bascule) -> None:
        self.process = bascule.start("demo")
        self.lines: Queue[str] = Queue()
        self.text = ""
        for stream in (self.process.stdout, self.process.stderr):
            threading.Thread(target=self._read, args=(stream,), daemon=True).start()

    def _read(self, stream: Any) -> None:
        for line in stream:
            self.lines.put(line)

    def until(self, words: str, within: float = 90) -> str:
        give_up = time.monotonic() + within
        while time.monotonic() < give_up:
            try:
                line = self.lines.get(timeout=0.5)
            except Empty:
                assert self.process.poll() is None, self.text
                continue
            self.text += line
            if words in line:
                return line
        raise AssertionError(f"{words!r} was not printed:\n{self.text}")


@pytest.fixture
def run() -> Iterator[Callable[[Bascule], Running]]:
    running: list[Running] = []

    def run(bascule: Bascule) -> Running:
        running.append(Running(bascule))
        return running[-1]

    yield run
    for one in running:
        one.process.kill()
        one.process.wait()


def test_a_first_demo_brings_a_company_and_leaves_no_process(demo: Bascule, first: Any) -> None:
    assert first["counts"]["Item"] > 100
    assert first["counts"]["Sales Order"] > 100
    assert len(first["reorder"]) == 3
    assert all(row["projected_qty"] <= row["reorder_level"] for row in first["reorder"])
    assert sum(week["orders"] for week in first["sales"]) > 0
    assert first["data_dir"].endswith("-demo")
    assert first["sign_in"]["username"] == "admin"
    assert len(first["sign_in"]["password"]) == 16
    kept = Path(first["data_dir"]) / "demo.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert not demo.data_dir.exists()
    assert demo.all_gone() == {}


def test_a_second_demo_shows_the_same_and_keeps_its_token_and_password(
    demo: Bascule, first: Any
) -> None:
    said = demo("demo", "--once", "--json")
    assert said.code == 0, said.err
    second = said.json
    assert second["counts"] == first["counts"]
    assert second["reorder"] == first["reorder"]
    assert second["api"]["token"] == first["api"]["token"]
    assert second["sign_in"]["password"] == first["sign_in"]["password"]
    assert demo.all_gone() == {}


def test_the_data_is_there_when_the_demo_is_not(demo: Bascule, first: Any) -> None:
    said = subprocess.run(
        first["lines"]["psql"],
        shell=True,
        capture_output=True,
        text=True,
        env=demo.environment,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    assert "(5 rows)" in said.stdout


def net_of(month: str, asking: str) -> str:
    """What the site itself adds up, net of tax in the company's currency."""
    first = datetime.strptime(month, "%B %Y").date()
    last = (first + timedelta(days=32)).replace(day=1) - timedelta(days=1)
    fields = quote('["sum(base_net_total) as net"]')
    filters = quote(f'[["docstatus","=",1],["transaction_date","between",["{first}","{last}"]]]')
    address = re.sub(r"/api/resource/.*", "/api/resource/Sales%20Order", asking)
    told = json.loads(paste(f"{address}'?fields={fields}&filters={filters}'"))
    return f"{told['data'][0]['net']:,.2f}"


def test_a_running_demo_follows_its_site_and_its_lines_work_when_pasted(
    demo: Bascule, first: Any, run: Callable[[Bascule], Running]
) -> None:
    going = run(demo)
    going.until("Ctrl-C stops everything")
    for words in ("documents are here", "items to reorder, 3 of them:", "Sales in"):
        assert words in going.text
    address, who = re.findall(r"Sign in  (http://127\.0\.0\.1:\d+/)  as (.*)", going.text)[0]
    name, password = who.split(", password ")
    assert password == first["sign_in"]["password"]
    form = f"-d name={name} -d password={password}"
    answer = "-o /dev/null -w '%{http_code} %header{location}'"
    assert paste(f"curl {address}sign-in {form} {answer}") == "303 /"
    pasted = [line.strip() for line in going.text.splitlines() if line.startswith("  curl ")]
    api, site, change = pasted
    rows = json.loads(paste(api))["rows"]
    assert len(rows) == 3
    all_of_them = json.loads(paste(api.replace("limit=3", "limit=500")))["rows"]
    assert f"{len(all_of_them)} items to reorder" in going.text
    month, said = re.findall(r"Sales in (\w+ \d{4}) .* ([\d,.]+) EUR net in", going.text)[0]
    assert said == net_of(month, site)
    item = json.loads(paste(site))["data"]["name"]
    psql = next(line for line in going.text.splitlines() if " psql -c " in line)
    assert "(5 rows)" in paste(psql)
    paste(change)
    assert item in going.until("Item: ")
    refused = demo("demo", "--once")
    assert refused.code == 1
    assert "running already" in refused.err
    os.kill(going.process.pid, signal.SIGINT)
    assert going.process.wait(timeout=60) == 0, going.text
    assert demo.all_gone() == {}


def paste(line: str) -> str:
    words = shlex.split(line)
    options = ["--silent", "--show-error"] if words[0] == "curl" else []
    done = subprocess.run(
        ["sh", "-c", f"{line} {' '.join(options)}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, (line, done.stderr)
    return done.stdout


def test_ctrl_c_in_the_middle_of_the_start_leaves_nothing(
    demo: Bascule, first: Any, run: Callable[[Bascule], Running]
) -> None:
    for wait in (0.3, 1.2):
        going = run(demo)
        going.until("Starting")
        time.sleep(wait)
        os.kill(going.process.pid, signal.SIGINT)
        assert going.process.wait(timeout=60) == 0, going.text
        assert demo.all_gone() == {}


def test_a_demo_that_was_killed_leaves_no_process_and_starts_again(
    demo: Bascule, first: Any, run: Callable[[Bascule], Running]
) -> None:
    going = run(demo)
    going.until("Ctrl-C stops everything")
    os.kill(going.process.pid, signal.SIGKILL)
    going.process.wait()
    assert demo.all_gone() == {}
    said = demo("demo", "--once", "--json")
    assert said.code == 0, said.err
    assert said.json["counts"] == first["counts"]


def test_demos_beside_a_hub_and_each_other_have_ports_of_their_own(
    make_bascule: Callable[..., Bascule],
) -> None:
    hubs = SITE_PORT - 1
    with ExitStack() as taken:
        with suppress(OSError):  # somebody has it already, which is what is wanted
            taken.enter_context(socket.create_server(("127.0.0.1", hubs)))
        demos = [
            make_bascule(CONNECTORS_SERVICE_PORT=str(hubs)).start("demo", "--once", "--json")
            for _ in range(2)
        ]
        for demo in demos:
            _, errors = demo.communicate(timeout=120)
            assert demo.returncode == 0, errors


def test_a_reset_demo_starts_from_nothing(demo: Bascule, first: Any) -> None:
    said = demo("demo", "--once", "--reset")
    assert said.code == 0, said.err
    assert "documents are here" in said.out
    assert first["api"]["token"] not in said.out

"""`python -m bascule.sandbox`: a site in a process of its own, started, asked and stopped."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

COMMAND = [sys.executable, "-m", "bascule.sandbox"]


@pytest.fixture
def start(kills: None) -> Iterator[Any]:
    running = []

    def start(*arguments: Any) -> Any:
        process = subprocess.Popen(
            [*COMMAND, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"COLUMNS": "200"},
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


def ask(url: str, path: str, user: Any) -> Any:
    token = f"token {user['api_key']}:{user['api_secret']}"
    request = urllib.request.Request(url + path, headers={"Authorization": token})
    with urllib.request.urlopen(request) as response:
        return json.load(response)["message"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_tells_in_one_line_how_to_reach_it_and_stops_when_told(start: Any, number: int) -> None:
    process = start("--json", "--today", "2026-11-20", "--seed", "3")
    told = json.loads(process.stdout.readline())
    for label, user in told["users"].items():
        name = ask(told["url"], "/api/method/frappe.auth.get_logged_user", user)
        assert name == told["users"][label]["name"]
    process.send_signal(number)
    assert process.wait(timeout=60) == 0


def test_people_read_the_address_and_the_credentials(start: Any) -> None:
    process = start("--fault", "latency=0.01")
    text = ""
    while "Ctrl-C" not in text:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        text += line
    assert "http://127.0.0.1:" in text
    assert "hub@example.com" in text
    assert "latency" in text


def test_it_starts_with_the_faults_asked_for(start: Any) -> None:
    process = start("--json", "--fault", "server_error,path=get_logged_user,times=1")
    told = json.loads(process.stdout.readline())
    path, hub = "/api/method/frappe.auth.get_logged_user", told["users"]["hub"]
    with pytest.raises(urllib.error.HTTPError) as refusal:
        ask(told["url"], path, hub)
    assert refusal.value.code == 500
    assert ask(told["url"], path, hub) == "hub@example.com"


def test_it_answers_as_the_version_asked_for(start: Any) -> None:
    told = json.loads(start("--json", "--version", "16").stdout.readline())
    url, hub = told["url"], told["users"]["hub"]
    versions = ask(url, "/api/method/frappe.utils.change_log.get_versions", hub)
    assert versions["erpnext"]["version"].startswith("16.")
    asked = "doctype=DocField&parent=DocType&fields=" + quote('["fieldtype"]')
    filters = quote('[["parent", "=", "Task"], ["fieldname", "=", "exp_end_date"]]')
    rows = ask(url, f"/api/method/frappe.client.get_list?{asked}&filters={filters}", hub)
    assert rows == [{"fieldtype": "Datetime"}]
    request = urllib.request.Request(f"{url}/app/item", method="HEAD")
    with pytest.raises(urllib.error.HTTPError) as moved:  # no desk is there
        urllib.request.urlopen(request)
    assert moved.value.url == f"{url}/desk/item"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--fault", "gremlins"), "gremlins"),
        (("--version", "14"), "14"),
        (("--from", "/nowhere/at/all"), "/nowhere/at/all"),
    ],
)
def test_what_cannot_be_done_is_said_and_exits_with_2(
    start: Any, arguments: Any, said: Any
) -> None:
    process = start(*arguments)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert said in errors
    assert "Traceback" not in errors

"""The hub stopped and started again, kindly and not, while it pulls and is asked for rows."""

import http.client
import json
import random
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from tests.kit.api import Api
from tests.kit.command import Bascule, way_in
from tests.kit.waiting import until

pytestmark = pytest.mark.kills

RESTARTS = (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL, signal.SIGKILL, signal.SIGTERM)


class Load:
    """Somebody who never stops to ask. A hub that is away is no answer; 5xx is a wrong one."""

    def __init__(self, token: str) -> None:
        self.token, self.url = token, "http://127.0.0.1:1"
        self.answers: dict[int, int] = {}
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self.ask_on, args=[n]) for n in range(4)]

    def ask_on(self, number: int) -> None:
        paths = ("rows/item", "rows/sales_order?sort=-modified", "inventory", "runs")
        while not self.stop.is_set():
            request = urllib.request.Request(
                f"{self.url}/api/connectors/shop/{paths[number]}",
                headers={"Authorization": f"Bearer {self.token}"},
            )
            try:
                with urllib.request.urlopen(request, timeout=60) as response:
                    json.load(response)
                    status = response.status
            except urllib.error.HTTPError as error:
                status = error.code
            except (OSError, http.client.HTTPException, ValueError):
                time.sleep(0.05)  # it is being started
                continue
            self.answers[status] = self.answers.get(status, 0) + 1
            time.sleep(0.02)

    def __enter__(self) -> "Load":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join(60)


def start(bascule: Bascule) -> tuple["subprocess.Popen[str]", str]:
    process = bascule.start("up", "--port", "0", "--json")
    text = ""
    assert process.stdout is not None
    for line in process.stdout:
        text += line
        try:
            return process, json.loads(text)["url"]
        except json.JSONDecodeError:
            continue
    raise AssertionError(process.communicate()[1] + text)


def test_a_hub_restarted_under_load_loses_nothing(
    make_bascule: Callable[..., Bascule], site: Any
) -> None:
    bascule = make_bascule()
    said = bascule("connect", "--name", "Shop", "--slug", "shop", "--json", "--quiet",
                   "--no-sync", **way_in(site))  # fmt: skip
    assert said.code == 0, said.err
    random.seed(20)
    site.faults.add("latency", seconds=0.1)
    with Load(bascule("token").out.strip()) as load:
        for number in RESTARTS:
            process, load.url = start(bascule)
            body = json.dumps({"connector_id": "shop", "full": True}).encode()
            asked = urllib.request.Request(
                f"{load.url}/api/connectors/sync",
                body,
                {"Authorization": f"Bearer {load.token}", "Content-Type": "application/json"},
            )
            with urllib.request.urlopen(asked, timeout=60) as response:
                assert response.status == 202
            time.sleep(random.uniform(0.3, 2.5))
            process.send_signal(number)
            process.communicate(timeout=60)
        site.faults.clear()
        process, load.url = start(bascule)
        wait_for_runs(load)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, process.communicate()[1]
    assert set(load.answers) <= {200, 404, 503}, load.answers
    assert load.answers[200] > 20, load.answers
    assert bascule("sync", "--quiet").code == 0
    proof = bascule("verify", "--json")
    assert proof.code == 0, proof.err
    assert bascule.all_gone() == {}


def wait_for_runs(load: Load) -> None:
    api = Api(load.url, load.token)

    def all_over() -> bool:
        runs = api.get("/api/connectors/shop/runs", limit=200).json["runs"]
        return not {run["outcome"] for run in runs} & {"queued", "running"}

    until(all_over, "runs of a hub that was killed did not end", patience=120, pause=0.3)

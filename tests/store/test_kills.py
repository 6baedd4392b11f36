"""kill -9, of everything: no committed row is lost, nothing stays, the next start works."""

import os
import random
import signal
import threading
import time

import psycopg
import pytest

from tests.kit.waiting import until
from tests.store.hubs import Hubs, said


class Writer:
    """A process that writes rows; `acknowledged` are the numbers that it saw committed."""

    def __init__(self, hubs: Hubs) -> None:
        self.process = hubs.start("write")
        self.acknowledged: set[int] = set()
        self.reading = threading.Thread(target=self._read, daemon=True)
        self.reading.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if not line.startswith("error"):
                self.acknowledged.add(int(line))

    def writes(self, more: int = 1) -> None:
        """Waits until it has written some more."""
        start = len(self.acknowledged)
        until(lambda: len(self.acknowledged) >= start + more)

    def kill(self) -> None:
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.reading.join()


def kept(hubs: Hubs) -> set[int]:
    hub = hubs.start("hold")
    with psycopg.connect(said(hub)["url"]) as connection:
        rows = connection.execute("SELECT id FROM public.kept").fetchall()
    hub.communicate("\n")
    return {row[0] for row in rows}


def replaced(hubs: Hubs, part: str, before: int) -> None:
    until(lambda: hubs.state()[part] != before and hubs.state()["state"] == "ready")


@pytest.mark.heavy
def test_a_killed_hub_leaves_no_server_and_loses_no_row(hubs: Hubs) -> None:
    writer = Writer(hubs)
    writer.writes(200)
    writer.kill()
    print(f"the server was gone after {hubs.gone():.2f} s")
    assert writer.acknowledged <= kept(hubs)


@pytest.mark.heavy
def test_a_killed_server_comes_back_by_itself(hubs: Hubs) -> None:
    writer = Writer(hubs)
    writer.writes(100)
    for _ in range(3):
        before = hubs.state()["server"]
        os.kill(before, signal.SIGKILL)
        replaced(hubs, "server", before)
        writer.writes(50)
    assert writer.process.poll() is None
    writer.kill()
    hubs.gone()
    assert writer.acknowledged <= kept(hubs)


@pytest.mark.heavy
def test_a_killed_keeper_is_replaced_by_its_users(hubs: Hubs) -> None:
    writer = Writer(hubs)
    other = hubs.start("hold")
    said(other)
    writer.writes(100)
    for _ in range(3):
        before = hubs.state()["keeper"]
        os.kill(before, signal.SIGKILL)
        replaced(hubs, "keeper", before)
        writer.writes(50)
    assert writer.process.poll() is None
    other.communicate("\n")
    writer.kill()
    hubs.gone()
    assert writer.acknowledged <= kept(hubs)


@pytest.mark.heavy
def test_a_start_right_after_a_kill_works(hubs: Hubs) -> None:
    """Into the middle of the old keeper's stopping, and of the crashed server's last moments."""
    for pause in (0.0, 0.05, 0.15, 0.2, 0.25, 0.3):
        hub = hubs.start("hold")
        assert "error" not in said(hub)
        os.kill(hubs.state()["server"], signal.SIGKILL)
        os.kill(hub.pid, signal.SIGKILL)
        time.sleep(pause)
        assert "error" not in hubs.once()


@pytest.mark.heavy
def test_twenty_kills_of_anything_lose_no_acknowledged_row(hubs: Hubs) -> None:
    chance = random.Random(20)
    acknowledged: set[int] = set()
    victims: list[str] = []
    for _ in range(20):
        writer = Writer(hubs)
        writer.writes(chance.randint(5, 200))
        victim = chance.choice(["hub", "server", "keeper", "server and hub", "keeper and hub"])
        victims.append(victim)
        state = hubs.state()
        for part in victim.split(" and "):
            if part == "hub":
                writer.kill()
            else:
                os.kill(state[part], signal.SIGKILL)
        if "hub" not in victim:
            writer.writes(5)
            writer.kill()
        acknowledged |= writer.acknowledged
    hubs.gone()
    assert acknowledged <= kept(hubs)
    print(f"{len(acknowledged)} rows after {victims}")

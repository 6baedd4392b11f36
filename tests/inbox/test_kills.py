"""kill -9 of the hub while webhooks arrive: what was answered 200 is there, and is told later."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

import psycopg
import pytest

from bascule.hub import Hub
from bascule.inbox.frappe import get_webhook_address
from bascule.inbox.frappe.tables import WebhookEndpoint
from bascule.settings import Settings
from tests.inbox.conftest import connected, send
from tests.kit.waiting import until

pytestmark = pytest.mark.kills

SECRET = "s3cret-of-the-hook"
SENDERS = 8


def started(settings: Settings, *, worker: bool) -> tuple["subprocess.Popen[str]", str]:
    assert settings.database_url and settings.secret_key
    environment = {
        **os.environ,
        "BASCULE_DATABASE_URL": settings.database_url.get_secret_value(),
        "BASCULE_SECRET_KEY": settings.secret_key.get_secret_value(),
        "BASCULE_DATA_DIR": str(settings.data_dir),
    }
    verb = ["up" if worker else "serve", "--json", "--port", "0"]
    process = subprocess.Popen(
        [sys.executable, "-m", "bascule", *verb],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )
    assert process.stdout is not None
    told = ""
    while not told.rstrip().endswith("}"):
        line = process.stdout.readline()
        assert line, "the hub ended"
        told += line
    return process, json.loads(told)["url"]


async def end_of(hub: Hub) -> tuple[UUID, str]:
    connection = await connected(hub)
    async with hub.db.session() as session:
        sealed = hub.vault.encrypt(SECRET)
        session.add(
            WebhookEndpoint(connection_id=connection, token="the-token", secret_encrypted=sealed)
        )
    return connection, "the-token"


def send_until_it_dies(url: str, token: str, sender: int, answered: list[str]) -> None:
    address = urlsplit(get_webhook_address(url, token, "Customer"))
    for number in range(100_000):
        name = f"Customer {sender}/{number}"
        body = json.dumps({"doctype": "Customer", "name": name, "modified": str(number)}).encode()
        try:
            got = send(url, f"{address.path}?{address.query}", body, secret=SECRET)
        except (OSError, HTTPException):
            return
        assert got.status == 200
        answered.append(name)


@pytest.mark.heavy
@pytest.mark.parametrize("after", [0.2, 0.5, 0.9, 1.4])
async def test_what_was_answered_is_there_after_a_kill(
    hub: Hub, settings: Settings, after: float, tmp_path: Path
) -> None:
    connection, token = await end_of(hub)
    process, url = started(settings, worker=False)
    answered: list[str] = []
    senders = [
        threading.Thread(target=send_until_it_dies, args=[url, token, number, answered])
        for number in range(SENDERS)
    ]
    try:
        for sender in senders:
            sender.start()
        until(lambda: len(answered) > SENDERS)
        time.sleep(after)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    for sender in senders:
        sender.join(30)
    assert len(answered) > SENDERS
    assert settings.database_url is not None
    with psycopg.connect(settings.database_url.get_secret_value(), autocommit=True) as conn:
        found = conn.execute(
            "SELECT subject FROM bascule.deliveries WHERE connection_id = %s", [connection]
        )
        kept = {name for (name,) in found.fetchall()}
        assert set(answered) <= kept
        queued = conn.execute(
            "SELECT count(*) FROM bascule_jobs.procrastinate_jobs"
            " WHERE task_name = 'inbox.work' AND status = 'todo'"
        ).fetchone()
        assert queued == (1,)
        process, _ = started(settings, worker=True)
        try:
            waiting = "SELECT count(*) FROM bascule.deliveries WHERE state <> 'done'"
            until(lambda: conn.execute(waiting).fetchone() == (0,))
        finally:
            process.terminate()
            process.wait(60)

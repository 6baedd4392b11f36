"""Webhooks of many sites are looked at side by side: one that does not answer holds up no other."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from bascule.hub import Hub
from bascule.inbox.frappe.site import monitor
from bascule.inbox.frappe.tables import WebhookEndpoint
from bascule.sites.fields import NewConnection
from bascule.sites.service import create_connection

SITES = 6


class Barrier:
    """Sites that answer once all of them have been asked."""

    def __init__(self) -> None:
        self.asked: set[bytes] = set()
        self.all_asked = threading.Event()
        self.listens = socket.create_server(("127.0.0.1", 0))
        self.port = self.listens.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.listens.accept()
                threading.Thread(target=self._answer, args=[connection], daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            head = connection.recv(65536)
            key = next(line for line in head.split(b"\r\n") if line.startswith(b"Authorization"))
            self.asked.add(key)
            if len(self.asked) == SITES:
                self.all_asked.set()
            if self.all_asked.wait(120):
                body = b'{"exc_type": "PermissionError"}'
                connection.sendall(
                    b"HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\n"
                    b"Content-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(body), body)
                )


@pytest.fixture
def barrier() -> Iterator[Barrier]:
    made = Barrier()
    yield made
    made.all_asked.set()
    made.listens.close()


async def test_sites_that_answer_only_together_are_all_asked(hub: Hub, barrier: Barrier) -> None:
    ends = []
    for number in range(SITES):
        new = NewConnection(
            name=f"Acme {number}",
            api_url=f"http://127.0.0.1:{barrier.port}",
            api_key=f"key{number}",
            api_secret="secret",
        )
        connection = await create_connection(hub, new, test=False)
        async with hub.db.session() as session:
            end = WebhookEndpoint(
                connection_id=connection.id,
                token=f"token-{number}",
                site_url=new.api_url,
                secret_encrypted=hub.vault.encrypt("secret of a hook"),
                base_url="https://hub.example.com",
            )
            session.add(end)
            await session.flush()
            ends.append(end.id)
    await monitor.check_all(hub)
    assert barrier.all_asked.is_set()
    async with hub.db.session() as session:
        for number in ends:
            end_now = await session.get(WebhookEndpoint, number)
            assert end_now is not None
            assert end_now.checked_at is not None
            assert end_now.found["error"]

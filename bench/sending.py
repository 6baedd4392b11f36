"""Sends webhooks at a steady rate, whatever the answers do: bare sockets that are kept open.

Takes one line of JSON on its input, and answers with one. A request is on a connection of its own
from its first byte to its answer; where all are busy another is opened, so a slow answer delays no
other request.
"""

import asyncio
import gc
import json
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from bascule.inbox.frappe import get_webhook_address
from bascule.inbox.frappe.signatures import SIGNATURE, signature_of

OPENED = 32  # connections before the first request
NO_ANSWER = 60.0  # seconds


@dataclass
class Told:
    """`statuses`: how many of each; `seconds`: what each took, from first byte to answer."""

    statuses: dict[int, int] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)


class Sender(asyncio.Protocol):
    def __init__(self, told: Told, free: "list[Sender]") -> None:
        self.told, self.free = told, free
        self.transport: asyncio.Transport
        self.began = 0.0
        self.got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def send(self, request: bytes) -> None:
        self.began = time.perf_counter()
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self.got += data
        head, ended, body = self.got.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0] or -1)
        if not ended or len(body) < length:
            return
        self.told.seconds.append(time.perf_counter() - self.began)
        status = int(self.got[9:12])
        self.told.statuses[status] = self.told.statuses.get(status, 0) + 1
        self.got = b""
        self.free.append(self)

    def connection_lost(self, exc: Exception | None) -> None:
        if self in self.free:
            self.free.remove(self)


async def send_all(order: dict[str, Any]) -> dict[str, Any]:
    """`url`, `token`, `secret`; `rate` a second, for so many `seconds`."""
    count = int(order["rate"] * order["seconds"])
    requests = list(signed(order, count))
    loop, told = asyncio.get_running_loop(), Told()
    free: list[Sender] = []
    to = urlsplit(order["url"])

    async def opened() -> Sender:
        _, sender = await loop.create_connection(lambda: Sender(told, free), to.hostname, to.port)
        return sender

    free += [await opened() for _ in range(OPENED)]
    gc.freeze()  # or collecting these requests over and over would be measured
    began = time.perf_counter()
    for number, request in enumerate(requests):
        wait = began + number / order["rate"] - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        elif number % 20 == 0:
            await asyncio.sleep(0)
        (free.pop() if free else await opened()).send(request)
    sent = time.perf_counter() - began
    for _ in range(int(NO_ANSWER * 100)):
        if len(told.seconds) == count:
            break
        await asyncio.sleep(0.01)
    shares = statistics.quantiles(told.seconds, n=1000)
    return {
        "sent": count,
        "answered": told.statuses,
        "per_second": count / sent,
        "p50_ms": shares[499] * 1000,
        "p99_ms": shares[989] * 1000,
        "most_ms": max(told.seconds) * 1000,
    }


def signed(order: dict[str, Any], count: int) -> Iterator[bytes]:
    """Each about a customer of its own, so that what is lost is seen."""
    to = urlsplit(get_webhook_address(order["url"], order["token"], "Customer"))
    head = f"POST {to.path}?{to.query} HTTP/1.1\r\nHost: {to.netloc}\r\nAccept: */*\r\n"
    head += "User-Agent: python-requests/2.32.5\r\nAccept-Encoding: gzip, deflate, br\r\n"
    head += "Connection: keep-alive\r\n"
    for number in range(count):
        body = json.dumps(
            {
                "event": "on_update",
                "doctype": "Customer",
                "name": f'{order["about"]} "Ü" {number}',
                "modified": "2026-11-20 22:37:26.636065",
            }
        ).encode()
        signature = signature_of(order["secret"].encode(), body).decode()
        told = f"{SIGNATURE}: {signature}\r\nContent-Length: {len(body)}\r\n\r\n"
        yield (head + told).encode() + body


if __name__ == "__main__":
    print(json.dumps(asyncio.run(send_all(json.loads(sys.stdin.readline())))), flush=True)

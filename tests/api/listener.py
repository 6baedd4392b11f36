"""Who listens to the hub's events over HTTP, as a browser or curl does."""

import http.client
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.kit.waiting import until


@dataclass
class Told:
    kind: str
    id: str | None
    data: Any


class Listener:
    """Reads the stream in a thread of its own until it ends or the block does."""

    def __init__(self, url: str, token: str, path: str = "/api/events", **headers: str) -> None:
        to = urlsplit(url)
        self.told: list[Told] = []
        self.heartbeats = 0
        self.ended = threading.Event()
        self.cut_off = False  # before its end
        self._asking = http.client.HTTPConnection(to.hostname or "", to.port, timeout=60)
        self._asking.request("GET", path, headers={"Authorization": f"Bearer {token}", **headers})
        self.answer = self._asking.getresponse()
        self._socket = self._asking.sock
        self.thread = threading.Thread(target=self._read)

    def __enter__(self) -> "Listener":
        assert self.answer.status == 200, self.answer.read()
        # The first lines come when the stream is listened to: from then on nothing is missed.
        assert self.answer.readline().startswith(b":")
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._socket is not None and not self.ended.is_set():
            self._socket.shutdown(2)
        self.thread.join(10)
        self._asking.close()

    def _read(self) -> None:
        event: dict[str, str] = {}
        try:
            for raw in self.answer:
                line = raw.decode().rstrip("\n")
                if line.startswith(":"):
                    self.heartbeats += 1
                elif line:
                    name, _, value = line.partition(": ")
                    event[name] = value
                elif event:
                    if "event" in event:
                        data = json.loads(event["data"])
                        self.told.append(Told(event["event"], event.get("id"), data))
                    event = {}
        except (OSError, ValueError, http.client.HTTPException):
            self.cut_off = True
        finally:
            self.ended.set()

    def hears(self, what: Callable[..., bool], within: float = 60) -> Told:
        """The first event that is so, waited for."""
        return until(
            lambda: next(filter(what, list(self.told)), None),
            lambda: f"not heard; only {self.told}",
            patience=within,
            pause=0.02,
        )

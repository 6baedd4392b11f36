"""Who may be connected to the hub, for how long without a word, and how many at a time.

uvicorn waits for a request's head and body as long as it takes, counts connections only once a
request is whole, and keeps what nobody reads. Here each connection is one of three:

    waiting   its request is not whole yet: it has `request_seconds` for the head, three times as
              many for the body
    serving   the hub works at its answer, or waits to have something to tell
    unread    its reader has taken nothing of the answer for some seconds; after `stall_seconds`
              it is dropped

Where there is no place for another one, in all or of its address, the one that has waited longest
goes, then the one that was not read for longest. Only where all are being served is the new one
refused, with 503.
"""

import logging
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from bascule import problems
from bascule.accounts.origin import network_of
from bascule.problems import ProblemType
from bascule.settings import Network

log = logging.getLogger(__name__)
EVERY = 1.0  # seconds between two looks at who waits
BODY = 3  # times as long as a head
STANDS = 5.0  # seconds without anything read, after which a connection counts as unread
LINGERS = 5.0  # seconds that a last word may take to leave
MOST_UNREAD = 256 * 2**20  # bytes of answers that wait in memory for their readers
RESERVED = 200  # files of the process that are none of these: the database, sites, the program


@dataclass(frozen=True, slots=True)
class Bounds:
    """See the settings of these names."""

    sockets: int = 1_000
    sockets_per_address: int = 200
    request_seconds: float = 20.0
    stall_seconds: float = 60.0
    proxies: tuple[Network, ...] = ()


Queue = OrderedDict["GuardedProtocol", float]  # since when, the oldest first


@dataclass(eq=False, slots=True)
class Gate:
    """All connections of one server."""

    bounds: Bounds
    here: dict["GuardedProtocol", str] = field(default_factory=dict)  # and their address
    waiting: Queue = field(default_factory=OrderedDict)
    unread: dict["GuardedProtocol", tuple[float, int]] = field(default_factory=dict)  # since, bytes
    of: dict[str, dict["GuardedProtocol", None]] = field(default_factory=dict)
    turned_away: int = 0

    def admit(self, one: "GuardedProtocol", address: str | None) -> bool:
        """Whether there is a place for it, if need be that of another."""
        key = network_of(address) if address else "a Unix socket"
        others = self.of.get(key, {})
        full = len(others) >= self.bounds.sockets_per_address and not self._is_proxy(address)
        if (full and not self._make_room(others, f"{key} has")) or (
            len(self.here) >= self.bounds.sockets and not self._make_room(self.here, "There are")
        ):
            self.turned_away += 1
            return False
        self.here[one] = key
        self.of.setdefault(key, {})[one] = None
        self.waiting[one] = time.monotonic()
        return True

    def forget(self, one: "GuardedProtocol") -> None:
        self.waiting.pop(one, None)
        self.unread.pop(one, None)
        key = self.here.pop(one, None)
        if key is not None:
            self.of[key].pop(one, None)
            if not self.of[key]:
                del self.of[key]

    def look(self) -> None:
        """Once a second: who had their time."""
        now = time.monotonic()
        for one, since in list(self.waiting.items()):
            late = now - since - self.bounds.request_seconds
            if late <= 0:
                break  # those behind it came later
            if late > self.bounds.request_seconds * (BODY - 1) or not one.sends_a_body:
                one.end_waiting()
        held = 0
        for one in list(self.here):
            rest = one.unsent
            held += rest
            since, before = self.unread.get(one, (now, 0))
            if rest == 0:
                self.unread.pop(one, None)
            elif rest != before:
                self.unread[one] = (now, rest)
            elif now - since > self.bounds.stall_seconds:
                log.warning("A reader took nothing for %.0f s and is dropped.", now - since)
                one.drop()
        while held > MOST_UNREAD and self.unread:
            slowest = min(self.unread, key=lambda one: self.unread[one][0])
            held -= slowest.unsent
            log.warning("Answers of %d MB wait for their readers; the slowest goes.", held >> 20)
            slowest.drop()

    def _make_room(self, among: dict["GuardedProtocol", Any], who: str) -> bool:
        victim = next((one for one in self.waiting if one in among), None)
        if victim is None:
            late = time.monotonic() - STANDS
            stale = ((at, one) for one, (at, _) in self.unread.items() if one in among)
            at, victim = min(stale, key=lambda pair: pair[0], default=(late + 1, None))
            if victim is None or at > late:
                log.warning("%s %d connections, all at work: another is refused.", who, len(among))
                return False
        log.warning("%s %d connections: the one that waited longest goes.", who, len(among))
        victim.drop()
        return True

    def _is_proxy(self, address: str | None) -> bool:
        """Many people are behind it, and it bounds them itself."""
        try:
            told = ip_address(address or "")
        except ValueError:
            return address is None  # a Unix socket
        return any(told in network for network in self.bounds.proxies)


class GuardedConfig(uvicorn.Config):
    def __init__(self, app: Any, gate: Gate, **options: Any) -> None:
        super().__init__(app, http=GuardedProtocol, ws="none", **options)
        self.gate = gate


class GuardedProtocol(H11Protocol):
    """One connection."""

    config: GuardedConfig

    @property
    def gate(self) -> Gate:
        return self.config.gate

    @property
    def unsent(self) -> int:
        """Bytes that the system has not taken yet."""
        return self.transport.get_write_buffer_size()

    @property
    def sends_a_body(self) -> bool:
        return self.conn.their_state is h11.SEND_BODY

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if not self.gate.admit(self, self.client[0] if self.client else None):
            self._last_word(
                problems.BUSY,
                "The hub has as many connections as it takes, all of them at work.",
                "Try again in a moment; whoever runs it may raise BASCULE_SOCKETS.",
            )

    def connection_lost(self, exc: Exception | None) -> None:
        self.gate.forget(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not self.transport.is_closing():
            super().data_received(data)

    def handle_events(self) -> None:
        super().handle_events()
        self._stand()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._stand()

    def _stand(self) -> None:
        """Serving while a request is whole and not answered yet, else waiting."""
        if self not in self.gate.here:
            return
        whole = self.conn.their_state not in (h11.IDLE, h11.SEND_BODY)
        if whole and self.cycle is not None and not self.cycle.response_complete:
            self.gate.waiting.pop(self, None)
        elif self not in self.gate.waiting:
            self.gate.waiting[self] = time.monotonic()

    def end_waiting(self) -> None:
        """Its time is over. Who sent nothing is told nothing; who sends faster than the hub reads
        may go on.
        """
        if self.sends_a_body and self.flow.read_paused:
            return
        if self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]:
            self.drop()
        else:
            self._last_word(
                problems.REQUEST_TIMEOUT,
                "This request took too long to arrive.",
                "Send it again; one whose head or body trickles in is not waited for.",
            )

    def drop(self) -> None:
        self.gate.forget(self)
        self.transport.abort()

    def _last_word(self, problem: ProblemType, detail: str, next_step: str) -> None:
        self.gate.forget(self)
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if self.cycle.response_started:
                self.transport.abort()
                return
        body = problems.body(problem, detail, next_step)
        self.transport.write(
            b"HTTP/1.1 %d %s\r\ncontent-type: %s\r\ncontent-length: %d\r\n"
            b"retry-after: 5\r\nconnection: close\r\n\r\n%s"
            % (problem.status, HTTPStatus(problem.status).phrase.encode(),
               problems.MEDIA_TYPE.encode(), len(body), body)
        )  # fmt: skip
        self.transport.close()
        self.loop.call_later(LINGERS, self.transport.abort)

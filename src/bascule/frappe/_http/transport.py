"""Requests to one site: the connection, the credentials, what goes wrong on the way, and patience.

Knows no DocTypes. Answers come back whole; what they say is `error_mapping`'s business.
"""

import asyncio
import logging
import random
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeVar
from urllib.parse import urlsplit

import aiohttp
import msgspec
from aiohttp import AddrInfoType, ClientHandlerType, ClientMiddlewareType
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt
from yarl import URL

from bascule.frappe import executed_sql
from bascule.frappe._http.body import A_DOCUMENT, A_METHOD, A_REFUSAL, ENCODINGS, Bound, body_of
from bascule.frappe._http.error_mapping import refusal
from bascule.frappe._http.limiter import LONGEST_PAUSE, Limiter
from bascule.frappe._http.network_errors import FAILURES, OutOfReach, failure
from bascule.frappe._http.outstanding import OWED, Owed
from bascule.frappe._http.response import Answer, Asked
from bascule.frappe.address import is_loopback
from bascule.frappe.errors import (
    FrappeError,
    RateLimited,
    SiteDown,
    Timeout,
    TLSFailure,
    TooLarge,
    Unavailable,
)
from bascule.frappe.request_observer import OBSERVER

log = logging.getLogger("bascule.frappe")

ATTEMPTS = 5
FIRST_WAIT = 0.2  # seconds; doubled each time, and a random part of it waited
LONGEST_HEADER = 2**18  # bytes; proxies and policies write long ones
CONNECTING = 10.0  # seconds for the connection alone
TRUSTED = 3600.0  # seconds that certificates of CAs are taken to stay what they were

T = TypeVar("T")
Method = Literal["GET", "POST", "PUT", "DELETE"]
MayConnect = Callable[[IPv4Address | IPv6Address], bool]


class Wire:
    """The open connections to a site. The credential lives in the sessions' headers and nowhere
    else: not in a URL, an attribute of its own, or a local variable of a frame that can raise.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        api_secret: str,
        *,
        ca_bundle: Path | None,
        max_concurrency: int,
        timeout: float,
        may_connect: MayConnect | None = None,
    ) -> None:
        self.url = url
        self.limiter = Limiter(max_concurrency)
        self.answered_at = time.monotonic()  # whoever asked, and if only with a refusal
        self.understood_at = float("-inf")  # when an answer was Frappe's, to what was asked
        self._timeout = timeout
        self._headers = _Headers(
            api_key, api_secret, near=is_loopback(urlsplit(url).hostname or "")
        )
        self._ca_bundle = ca_bundle
        self._may_connect = may_connect
        self._reading: aiohttp.ClientSession | None = None
        self._writing: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        trust = await asyncio.to_thread(_trust, self._ca_bundle)
        self._reading = self._session(trust, fresh=False)
        # A kept connection that the site has just closed fails without a word about whether the
        # request was carried out. A read is asked again; a write has a connection of its own.
        self._writing = self._session(trust, fresh=True)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for session in (self._reading, self._writing):
            if session is not None:
                await session.close()
        self._reading = self._writing = None

    def _session(self, trust: ssl.SSLContext, *, fresh: bool) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                ssl=trust,
                limit=self.limiter.most,
                force_close=fresh,
                ttl_dns_cache=60,
                socket_factory=self._socket if self._may_connect else None,
            ),
            headers=self._headers.all(),
            timeout=aiohttp.ClientTimeout(total=self._timeout, sock_connect=CONNECTING),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,  # `body` does, and no more than is wanted
            read_bufsize=2**19,  # fewer pauses in pages of megabytes
            max_line_size=LONGEST_HEADER,
            max_field_size=LONGEST_HEADER,
        )

    def _socket(self, to: AddrInfoType) -> socket.socket:
        """Asked for each address that is about to be connected to, after the name was looked up."""
        family, kind, protocol, _, place = to
        address = ip_address(str(place[0]).partition("%")[0])
        if self._may_connect is not None and not self._may_connect(address):
            raise OutOfReach
        return socket.socket(family, kind, protocol)

    async def bare(self, method: Method, path: str) -> Answer:
        """The answer as it came, whatever its status; asked once."""
        if self._reading is None:
            raise RuntimeError("The site is not open: use it within 'async with site:'.")
        bound = self._bound(f"{method} {path}", A_REFUSAL)
        outcome = await self._exchange(self._reading, method, path, None, bound)
        if isinstance(outcome, FrappeError):
            raise outcome
        return outcome

    async def read(
        self,
        method: Method,
        path: str,
        asked: Asked,
        take: Callable[[Answer], T],
        *,
        json: Any = None,
        timeouts: bool = True,
        work: bool = False,
        most: int = A_METHOD,
    ) -> T:
        """What `take` makes of the answer to a request that changes nothing.

        It is asked again when the site was not available, or when `take` finds that the answer
        broke off. `timeouts` False: not after a timeout. `work`: its pace tells how crowded the
        site is. `most`: TooLarge for an answer of more bytes, see `body`.
        """
        patience = AsyncRetrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=_wait,
            retry=retry_if_exception(lambda error: _worth_repeating(error, timeouts=timeouts)),
            reraise=True,
        )
        body = None if json is None else encode(executed_sql.asking(path, json))

        async def once() -> T:
            answer = await self._once(method, path, asked, body, work, most)
            taken = take(answer)
            self.understood_at = time.monotonic()
            executed_sql.heard(path, answer)
            return taken

        return await patience(once)

    async def write(self, method: Method, path: str, asked: Asked, *, json: Any = None) -> Answer:
        """Sent once, whatever happens: a create that is sent twice makes two. One with an answer
        that is too large may have been carried out.
        """
        body = None if json is None else encode(json)
        return await self._once(method, path, asked, body, None, A_DOCUMENT)

    async def _once(
        self,
        method: Method,
        path: str,
        asked: Asked,
        body: bytes | None,
        work: bool | None,
        most: int,
    ) -> Answer:
        """`work` None: a write. Errors are raised outside of `except`, so that none of ours holds
        one of the library's, which hold the request with its headers.
        """
        session = self._writing if work is None else self._reading
        if session is None:
            raise RuntimeError("The site is not open: use it within 'async with site:'.")
        owed = OWED.get() or Owed()
        with owed.asking():
            async with self.limiter.place():
                bound = self._bound(str(asked), most)
                with owed.sent():
                    outcome = await self._exchange(session, method, path, body, bound)
                    if isinstance(outcome, Answer) and not _nobody_home(outcome.status):
                        self.answered_at = time.monotonic()
                        owed.answered(page=bool(work))
                outcome = self._judged(outcome, asked, work)
        if isinstance(outcome, FrappeError):
            raise outcome
        return outcome

    def _judged(
        self, outcome: Answer | FrappeError, asked: Asked, work: bool | None
    ) -> Answer | FrappeError:
        """An answer, or what it amounts to; and what it tells of how busy the site is."""
        if work is None and isinstance(outcome, TooLarge):
            outcome = SiteDown(str(outcome), next_step=outcome.next_step)
        if isinstance(outcome, Answer) and outcome.status >= 300:
            self.limiter.heed(outcome.headers)
            outcome = refusal(outcome, asked, self.url)
        if isinstance(outcome, Unavailable):
            self.limiter.struggled(outcome.retry_after)
        elif isinstance(outcome, Answer):
            if work:
                # The constant stands for what a request costs however small its answer is.
                self.limiter.went_well(str(asked), outcome.seconds / (len(outcome.body) + 1e5))
            self.limiter.heed(outcome.headers)
        return outcome

    def _bound(self, asked: str, most: int) -> Bound:
        return Bound(asked, most, self._headers.encodings)

    async def _exchange(
        self,
        session: aiohttp.ClientSession,
        method: Method,
        path: str,
        body: bytes | None,
        bound: Bound,
    ) -> Answer | FrappeError:
        with OBSERVER.get()(method, path.partition("?")[0]) as observed:
            outcome = await self._exchanged(session, method, path, body, bound)
            observed(outcome)
            return outcome

    async def _exchanged(
        self,
        session: aiohttp.ClientSession,
        method: Method,
        path: str,
        body: bytes | None,
        bound: Bound,
    ) -> Answer | FrappeError:
        started = time.perf_counter()
        headers = {"Content-Type": "application/json"} if body is not None else None
        try:
            async with session.request(
                method,
                URL(self.url + path, encoded=True),
                data=body,
                headers=headers,
                allow_redirects=False,
                middlewares=(_send_once(),) if session is self._writing else None,
            ) as response:
                content = await body_of(response, bound)
                answer = Answer(
                    response.status, response.headers, content, time.perf_counter() - started
                )
        except FrappeError as error:
            failed = error
        except FAILURES as error:
            failed = failure(error, connecting=CONNECTING, in_all=self._timeout)
        else:
            log.debug(
                "%s %s: %s, %d bytes, %.0f ms",
                method,
                path.partition("?")[0],
                answer.status,
                len(content),
                answer.seconds * 1000,
            )
            return answer
        log.debug("%s %s: %s", method, path.partition("?")[0], failed)
        return failed


def _send_once() -> ClientMiddlewareType:
    """Keeps aiohttp from sending a PUT or DELETE again by itself after a lost connection."""
    sent = False

    async def send(
        request: aiohttp.ClientRequest, go_on: ClientHandlerType
    ) -> aiohttp.ClientResponse:
        nonlocal sent
        if sent:
            raise aiohttp.ServerDisconnectedError
        sent = True
        return await go_on(request)

    return send


class _Headers:
    """Holds the credential, and shows it to no one who prints or logs it."""

    __slots__ = ("_near", "_token")

    def __init__(self, api_key: str, api_secret: str, *, near: bool) -> None:
        if not api_key or not api_secret or not (api_key + api_secret).isascii():
            raise ValueError("The API key and the API secret must be given, as ERPNext shows them.")
        if any(ord(c) <= 32 for c in api_key + api_secret) or ":" in api_key:
            raise ValueError("The API key or the API secret holds what no key holds.")
        self._token = f"token {api_key}:{api_secret}"
        self._near = near

    def __repr__(self) -> str:
        return "<headers with a credential>"

    @property
    def encodings(self) -> tuple[str, ...]:
        """Packing costs more than a loopback's bytes do, and less than a network's."""
        return () if self._near else ENCODINGS

    def all(self) -> dict[str, str]:
        return {
            "Authorization": self._token,
            "Accept": "application/json",
            "Accept-Encoding": ", ".join(self.encodings) or "identity",
            "User-Agent": "bascule",
        }


# Decimals as numbers, digit by digit: as text a site would compare them as text.
encode = msgspec.json.Encoder(decimal_format="number").encode


def _trust(ca_bundle: Path | None) -> ssl.SSLContext:
    """What tells a site's certificate: one for all that trust the same, as it takes a megabyte. The
    system's and the bundle's are read again after an hour, or when the bundle changed.
    """
    changed = None
    if ca_bundle is not None:
        with suppress(OSError):
            changed = ca_bundle.stat().st_mtime_ns
    return _trusting(ca_bundle, changed, int(time.monotonic() // TRUSTED))


@lru_cache(maxsize=8)
def _trusting(ca_bundle: Path | None, changed: int | None, hour: int) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_bundle is not None:
        try:
            context.load_verify_locations(cafile=ca_bundle)
        except (OSError, ssl.SSLError):
            reason = "cannot be read, or holds no certificate"
        else:
            return context
        raise TLSFailure(
            f"The CA bundle {ca_bundle} {reason}.",
            next_step="Give the path of a PEM file with the certificate of the CA.",
        )
    return context


def _nobody_home(status: int) -> bool:
    """A proxy's word, or that of a site which has no time, or broke over it."""
    return status == 429 or status >= 500


def _worth_repeating(error: BaseException, *, timeouts: bool) -> bool:
    if isinstance(error, Timeout):
        return timeouts
    if isinstance(error, RateLimited | SiteDown) and (error.retry_after or 0) > LONGEST_PAUSE:
        return False
    return isinstance(error, Unavailable)


def _wait(state: RetryCallState) -> float:
    """Half to all of a doubling time, so that those who failed together do not come back together.

    A pause that the site asked for is waited in the limiter, by all of its requests.
    """
    longest = FIRST_WAIT * 2.0 ** (state.attempt_number - 1)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing

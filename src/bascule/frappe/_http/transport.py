"""How requests get to a site: the `Transport` that a `Site` sends through, and the usual one.

A transport knows nothing of DocTypes, refusals or retries: it sends one request once, and gives the
response as it came, whatever its status.
"""

import asyncio
import logging
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import aiohttp
from aiohttp import AddrInfoType, ClientHandlerType, ClientMiddlewareType
from yarl import URL

from bascule.frappe._http.body import ENCODINGS, Bound, read_body
from bascule.frappe._http.models import Request, Response
from bascule.frappe._http.network_errors import FAILURES, AddressNotAllowed, failure
from bascule.frappe.address import is_loopback
from bascule.frappe.errors import FrappeError, TLSFailure

log = logging.getLogger("bascule.frappe")

MAX_HEADER_BYTES = 2**18  # proxies and policies write long headers
CONNECT_TIMEOUT = 10.0  # seconds for the connection alone
TRUST_REREAD_AFTER = 3600.0  # seconds that the CA certificates are kept in memory

MayConnect = Callable[[IPv4Address | IPv6Address], bool]


class Transport(Protocol):
    """Sends requests to one site, and adds the credential to each.

    Hand another one to `Site(..., transport=...)` to reach a site without a socket, in a test, or
    through something that aiohttp does not speak.
    """

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def send(self, request: Request) -> Response:
        """Sends the request once; redirects are not followed.

        Raises Unavailable, TLSFailure, AddressRefused or NotAFrappeSite where no response came,
        TooLarge where its body is larger than `request.max_bytes`.
        """
        ...


class AiohttpTransport:
    """Keeps connections open for reads, and takes a fresh one for each write.

    The credential lives in the headers of the aiohttp sessions and nowhere else: not in a URL, an
    attribute of its own, or a local variable of a frame that can raise.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        api_secret: str,
        *,
        ca_bundle: Path | None = None,
        max_connections: int = 4,
        timeout: float = 60.0,
        may_connect: MayConnect | None = None,
    ) -> None:
        self.url = url
        self._max_connections = max_connections
        self._timeout = timeout
        self._headers = _Headers(
            api_key, api_secret, near=is_loopback(urlsplit(url).hostname or "")
        )
        self._ca_bundle = ca_bundle
        self._may_connect = may_connect
        self._reading: aiohttp.ClientSession | None = None
        self._writing: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        trust = await asyncio.to_thread(_trust, self._ca_bundle)
        self._reading = self._session(trust, fresh=False)
        # A kept connection that the site has just closed fails without a word about whether the
        # request was carried out. A read is sent again; a write has a connection of its own.
        self._writing = self._session(trust, fresh=True)

    async def close(self) -> None:
        for session in (self._reading, self._writing):
            if session is not None:
                await session.close()
        self._reading = self._writing = None

    async def send(self, request: Request) -> Response:
        session = self._reading if request.reads else self._writing
        if session is None:
            raise RuntimeError("The site is not open: use it within 'async with site:'.")
        outcome = await self._outcome(session, request)
        path = request.path.partition("?")[0]
        # An error is raised outside of the `except` that met the library's, so that it does not
        # hold that one, which holds the request with its headers.
        if isinstance(outcome, FrappeError):
            log.debug("%s %s: %s", request.method, path, outcome)
            raise outcome
        milliseconds, size = outcome.seconds * 1000, len(outcome.body)
        log.debug(
            "%s %s: %s, %d bytes, %.0f ms",
            *(request.method, path, outcome.status, size, milliseconds),
        )
        return outcome

    async def _outcome(
        self, session: aiohttp.ClientSession, request: Request
    ) -> Response | FrappeError:
        started = time.perf_counter()
        bound = Bound(request.operation, request.max_bytes, self._headers.encodings)
        headers = {"Content-Type": "application/json"} if request.body is not None else None
        try:
            async with session.request(
                request.method,
                URL(self.url + request.path, encoded=True),
                data=request.body,
                headers=headers,
                allow_redirects=False,
                middlewares=None if request.reads else (_send_once(),),
            ) as response:
                content = await read_body(response, bound)
                return Response(
                    response.status, response.headers, content, time.perf_counter() - started
                )
        except FrappeError as error:
            return error
        except FAILURES as error:
            return failure(error, connecting=CONNECT_TIMEOUT, in_all=self._timeout)

    def _session(self, trust: ssl.SSLContext, *, fresh: bool) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                ssl=trust,
                limit=self._max_connections,
                force_close=fresh,
                ttl_dns_cache=60,
                socket_factory=self._socket if self._may_connect else None,
            ),
            headers=self._headers.all(),
            timeout=aiohttp.ClientTimeout(total=self._timeout, sock_connect=CONNECT_TIMEOUT),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,  # `body` decompresses, and stops at the bound
            read_bufsize=2**19,  # fewer pauses in pages of megabytes
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
        )

    def _socket(self, to: AddrInfoType) -> socket.socket:
        """aiohttp calls this for each address to connect to, after the name was looked up."""
        family, kind, protocol, _, place = to
        address = ip_address(str(place[0]).partition("%")[0])
        if self._may_connect is not None and not self._may_connect(address):
            raise AddressNotAllowed
        return socket.socket(family, kind, protocol)


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
    """The headers of every request. Printing or logging it does not show the credential."""

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
        """None on a loopback, where compression costs more than it saves."""
        return () if self._near else ENCODINGS

    def all(self) -> dict[str, str]:
        return {
            "Authorization": self._token,
            "Accept": "application/json",
            "Accept-Encoding": ", ".join(self.encodings) or "identity",
            "User-Agent": "bascule",
        }


def _trust(ca_bundle: Path | None) -> ssl.SSLContext:
    """The TLS context of all sites that trust the same CAs: one takes a megabyte.

    The system's CAs and the bundle are read again after an hour, or when the bundle changed.
    """
    changed = None
    if ca_bundle is not None:
        with suppress(OSError):
            changed = ca_bundle.stat().st_mtime_ns
    return _trusting(ca_bundle, changed, int(time.monotonic() // TRUST_REREAD_AFTER))


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

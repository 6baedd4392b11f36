"""Requests to the provider: bounded in bytes and time, with no redirect and no cookie.

It never connects to link-local addresses or those at which clouds give credentials away, whatever
the discovery document names.
"""

import asyncio
import socket
import ssl
from ipaddress import ip_address
from pathlib import Path

import aiohttp
from aiohttp import AddrInfoType

from bascule.frappe import AddressNotAllowed
from bascule.reach import may_connect

LARGEST = 512 * 1024  # bytes of an answer
SECONDS = 10.0  # for one request
AT_ONCE = 20
_REACH = may_connect(private_networks=True, loopback=True)


class Unreachable(Exception):
    """What kept it from answering, in words for the end of a sentence."""


def opened(ca_bundle: Path | None) -> aiohttp.ClientSession:
    """OSError: the bundle cannot be read."""
    trust = ssl.create_default_context()
    if ca_bundle is not None:
        trust.load_verify_locations(cafile=ca_bundle)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            ssl=trust, limit=AT_ONCE, ttl_dns_cache=60, socket_factory=_socket
        ),
        timeout=aiohttp.ClientTimeout(total=SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        headers={"Accept": "application/json", "Accept-Encoding": "identity"},
    )


async def asked(
    http: aiohttp.ClientSession,
    method: str,
    url: str,
    *,
    form: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
) -> tuple[int, bytes]:
    """Status and body. Unreachable."""
    try:
        async with http.request(
            method, url, data=form, headers=headers, allow_redirects=False
        ) as answer:
            body = bytearray()
            async for part in answer.content.iter_chunked(64 * 1024):
                body += part
                if len(body) > LARGEST:
                    raise Unreachable("its answer is too large")
            return answer.status, bytes(body)
    except aiohttp.ClientConnectorCertificateError:
        raise Unreachable("its certificate is not one that this hub trusts") from None
    except TimeoutError:
        raise Unreachable(f"no answer within {SECONDS:g} seconds") from None
    except (aiohttp.ClientError, OSError, ValueError, asyncio.IncompleteReadError) as error:
        # By its kind alone: its words may hold the address with what was sent.
        raise Unreachable(_kind(error)) from None


def _kind(error: Exception) -> str:
    if isinstance(getattr(error, "os_error", None), AddressNotAllowed):
        return "it is at an address that this hub never connects to"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its name is not known"
    if isinstance(error, aiohttp.ClientSSLError):
        return "it does not speak TLS as it has to"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "nothing answers there"
    return "the connection broke off"


def _socket(to: AddrInfoType) -> socket.socket:
    family, kind, protocol, _, place = to
    if not _REACH(ip_address(str(place[0]).partition("%")[0])):
        raise AddressNotAllowed
    return socket.socket(family, kind, protocol)

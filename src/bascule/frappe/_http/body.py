"""What a site answers, read with a bound: on its bytes once unpacked, and on the values in them.

A site may be broken, or taken over: it answers without end, or a megabyte that becomes gigabytes.
How much is taken depends on what was asked for. Unpacking lets go of the interpreter, so what may
take long is done in a thread; parsing does not, so its work is bound by the values.
"""

import asyncio
import zlib
from collections.abc import Collection
from typing import NamedTuple

import aiohttp

from bascule.frappe.errors import FrappeError, NotAFrappeSite, SiteDown, TooLarge

# Bytes, once unpacked.
MAX_DOCUMENT = 64_000_000  # with its child tables; and a page of one row
MAX_LIST = 32_000_000
MAX_PAGE = 16_000_000  # however many rows were asked for; it aims at a fourth of it
MAX_METHOD = 16_000_000  # what it returns, and definitions
MAX_REFUSAL = 1_000_000  # of what is longer the beginning is read

# Brackets and commas: an empty list takes three of them, 3 bytes, and 64 bytes once it is parsed.
# They are counted in what is larger than pages aim to be.
MAX_MARKS = 4_000_000
UNCOUNTED = 8_000_000  # bytes
ENCODINGS = ("gzip", "deflate")
INLINE = 4_096  # packed bytes that are unpacked at once, to 4 MB at most


class Bound(NamedTuple):
    """`asked`: what the answer is to. `encodings`: those that the request named."""

    operation: str
    most: int
    encodings: Collection[str]

    def too_large(self, size: int) -> TooLarge:
        return TooLarge(
            f"The site's answer to '{self.operation}' is larger than the "
            f"{self.most // 1_000_000} MB that the hub takes of one.",
            next_step="Look at what the site gives there. If it is meant so, leave the field that "
            "holds so much, or the DocType, out of what is mirrored.",
            bytes_=size,
        )

    def crowded(self) -> TooLarge:
        return TooLarge(
            f"The site's answer to '{self.operation}' has more than {MAX_MARKS:,} brackets and "
            "commas, which is more than the hub takes of one.",
            next_step="Look at what the site gives there. If it is meant so, leave the field that "
            "holds so much, or the DocType, out of what is mirrored.",
            bytes_=MAX_MARKS,
        )


async def read_body(response: aiohttp.ClientResponse, bound: Bound) -> bytes:
    """The body unpacked. TooLarge for more than its bound, of which no more is read; of a refusal
    the beginning. NotAFrappeSite for an encoding that was not asked for, SiteDown for a packed body
    that is damaged.
    """
    refused = response.status >= 300
    if refused:
        bound = bound._replace(most=MAX_REFUSAL)
    encoding = ", ".join(response.headers.getall("Content-Encoding", ())).strip().lower()
    if encoding in ("", "identity"):
        body = await _read(response, bound, cut=refused)
    elif encoding in bound.encodings:
        packed = await _read(response, bound, cut=refused)
        if len(packed) <= INLINE:
            body = _unpacked(packed, encoding, bound, cut=refused)
        else:
            body = await asyncio.to_thread(_unpacked, packed, encoding, bound, cut=refused)
    elif refused:
        return b""  # the status says enough
    else:
        raise _not_asked_for(encoding, bound)
    if len(body) > UNCOUNTED and sum(map(body.count, (b",", b"[", b"{", b"]", b"}"))) > MAX_MARKS:
        raise bound.crowded()
    return body


async def _read(response: aiohttp.ClientResponse, bound: Bound, *, cut: bool) -> bytes:
    told = response.content_length
    if told is not None and told <= bound.most:
        return await response.read()
    if told is not None and not cut:
        raise bound.too_large(told)
    pieces, size = [], 0
    async for piece in response.content.iter_any():
        pieces.append(piece)
        size += len(piece)
        if size > bound.most:
            if not cut:
                raise bound.too_large(size)
            break
    return b"".join(pieces)[: bound.most]


def _unpacked(packed: bytes, encoding: str, bound: Bound, *, cut: bool) -> bytes:
    """Of gzip one member, which is what web servers write."""
    if not packed:
        return b""
    bits = zlib.MAX_WBITS
    if encoding == "gzip":
        bits += 16
    elif packed[0] & 0x0F != zlib.DEFLATED:  # without the header, as some servers write it
        bits = -bits
    unpacking = zlib.decompressobj(bits)
    damaged = False
    try:
        body = unpacking.decompress(packed, bound.most + 1)
    except zlib.error:
        body, damaged = b"", True
    if len(body) > bound.most:
        if cut:
            return body[: bound.most]
        raise bound.too_large(len(body))
    if (damaged or not unpacking.eof) and not cut:
        raise SiteDown(
            f"The site's answer to '{bound.operation}' came packed as {encoding}, and broke off.",
            next_step="Try again in a few minutes; if it stays, look at the proxy before the site.",
        )
    return body


def _not_asked_for(encoding: str, bound: Bound) -> FrappeError:
    takes = " and ".join(bound.encodings) or "it plain"
    return NotAFrappeSite(
        f"The site's answer to '{bound.operation}' is packed as {encoding[:40]!r}, which the hub "
        "did not ask for.",
        next_step="Have the web server or the proxy before the site heed Accept-Encoding; the hub "
        f"takes {takes} there.",
    )

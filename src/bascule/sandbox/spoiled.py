"""What faults make of answers: of a bad line, of another database, and of a site that was taken
over, or is broken in a way that looks like it. When, is for `faults` to say.
"""

import asyncio
import gzip
import json
import zlib
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from aiohttp import web

BOMB = 2**32  # bytes once unpacked; packed about a thousandth of it
_BLOCK = 2**20
_PIECES = 64  # blocks that are sent at a time, where they are packed
COMPACT = (",", ":")  # as Frappe writes its JSON


def nest(response: web.Response) -> None:
    if isinstance(response.body, bytes):
        body = _nested(json.loads(response.body))
        response.body = json.dumps(body, separators=COMPACT).encode()


def _nested(value: Any) -> Any:
    """With each text that is a JSON object or array as that. PostgreSQL's driver reads columns of
    JSON, where MariaDB's gives their text.
    """
    if isinstance(value, dict):
        return {key: _nested(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_nested(inner) for inner in value]
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


async def slow_or_cut(
    request: web.Request, response: web.Response, seconds: float | None
) -> web.StreamResponse:
    """The answer of the route over a bad line: spread over so many seconds, or half of it: None."""
    body = response.body if isinstance(response.body, bytes | bytearray) else b""
    sent = web.StreamResponse(status=response.status, headers=response.headers)
    sent.content_length = len(body)
    await sent.prepare(request)
    if seconds is None:
        await sent.write(body[: len(body) // 2])
        if request.transport is not None:
            request.transport.close()
        return sent
    pieces = 10
    step = max(1, -(-len(body) // pieces))
    for start in range(0, len(body), step):
        await asyncio.sleep(seconds / pieces)
        await sent.write(body[start : start + step])
    return sent


async def bomb(request: web.Request) -> web.StreamResponse:
    """4 GB of an answer that begins as a list does: packed where the client takes that."""
    sent = web.StreamResponse(headers={"Content-Type": "application/json"})
    takes = "gzip" in request.headers.get("Accept-Encoding", "")
    if takes:
        sent.headers["Content-Encoding"] = "gzip"
    await sent.prepare(request)
    begin = b'{"message":['
    packing = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    block = b" " * _BLOCK
    if takes:
        begin = packing.compress(begin) + packing.flush(zlib.Z_FULL_FLUSH)
        # After a full flush a block depends on nothing before it, so one is sent again and again.
        packed = packing.compress(block) + packing.flush(zlib.Z_FULL_FLUSH)
        block = packed * _PIECES
    with suppress(ConnectionError):  # the client may have had enough
        await sent.write(begin)
        for _ in range(BOMB // _BLOCK // (_PIECES if takes else 1)):
            await sent.write(block)
            await asyncio.sleep(0)
        await sent.write_eof()
    return sent


def pack_otherwise(request: web.Request, response: web.Response) -> None:
    """In an encoding that the client did not name."""
    body = response.body if isinstance(response.body, bytes) else b""
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        response.headers["Content-Encoding"] = "br"
    else:
        response.headers["Content-Encoding"] = "gzip"
        response.body = gzip.compress(body, 1)


class Lists:
    """What becomes of lists: more rows than were asked for, and rows for ever.

    Keeps the last row of each list, which those that it makes up are like.
    """

    def __init__(self) -> None:
        self._like: dict[str, Any] = {}
        self._made = 0

    async def lengthen(self, request: web.Request, response: web.Response, kind: str) -> None:
        """`more_rows_than_asked`: every list of rows has more; `endless`: a page of several rows is
        as long as it was asked to be.
        """
        asked = await _asked_of(request)
        limit = int(asked.get("limit_page_length") or 0)
        place = _place_of_name(asked)
        if limit < (2 if kind == "endless" else 1) or place is None or response.status != 200:
            return
        body = json.loads(response.body if isinstance(response.body, bytes) else b"{}")
        rows = body.get("message")
        if not isinstance(rows, list):
            return
        key = json.dumps([asked.get("doctype"), asked.get("fields"), asked.get("as_dict")])
        if rows:
            self._like[key] = rows[-1]
        like = self._like.get(key)
        wanted = limit + 1 if kind == "more_rows_than_asked" else limit
        while like is not None and len(rows) < wanted:
            rows.append(self._named(like, place if isinstance(like, list) else "name"))
        response.body = json.dumps(body, separators=COMPACT).encode()

    def _named(self, like: Any, place: Any) -> Any:
        self._made += 1
        row = list(like) if isinstance(like, list) else dict(like)
        row[place] = f"~{self._made:012}"
        return row


async def _asked_of(request: web.Request) -> Mapping[str, Any]:
    if not request.path.endswith("frappe.client.get_list") or request.method != "POST":
        return {}
    try:
        body = json.loads(await request.text())
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _place_of_name(asked: Mapping[str, Any]) -> int | None:
    fields = asked.get("fields")
    return fields.index("name") if isinstance(fields, list) and "name" in fields else None

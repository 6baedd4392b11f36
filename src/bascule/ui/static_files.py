"""Static files over HTTP: read and gzipped once, named by their hash, kept for good."""

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request, Response

FOLDER = Path(__file__).parent / "static"
FOR_GOOD = "public, max-age=31536000, immutable"

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class StaticFile:
    content: bytes
    gzipped: bytes
    kind: str
    hash: str


@cache
def static_file(name: str) -> StaticFile | None:
    served = {
        path.name: path for path in FOLDER.iterdir() if path.suffix in (".css", ".js", ".svg")
    }
    if name not in served:
        return None
    content = served[name].read_bytes()
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    digest = hashlib.sha256(content).hexdigest()[:12]
    return StaticFile(content, gzip.compress(content, 9), kind, digest)


def static_url(name: str) -> str:
    """The address of a file in `static`, which changes when the file does. KeyError: not there."""
    found = static_file(name)
    if found is None:
        raise KeyError(name)
    return f"/static/{name}?v={found.hash}"


@router.get("/static/{name}")
async def static(request: Request, name: str) -> Response:
    found = static_file(name)
    if found is None:
        raise HTTPException(404, "There is no such file.")
    headers = {"Cache-Control": FOR_GOOD, "Vary": "Accept-Encoding"}
    if takes_gzip(request):
        return Response(
            found.gzipped, headers={**headers, "Content-Encoding": "gzip"}, media_type=found.kind
        )
    return Response(found.content, headers=headers, media_type=found.kind)


def takes_gzip(request: Request) -> bool:
    return "gzip" in request.headers.get("accept-encoding", "")

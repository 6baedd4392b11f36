"""The raw bytes of a request, up to a limit, as every signature is made over them."""

from starlette.exceptions import HTTPException
from starlette.requests import Request


async def read_body(request: Request, largest: int) -> bytes:
    """HTTPException 413 as soon as it is too long. The endpoint can read it again."""
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length) > largest:
        raise _too_large(largest)
    if not hasattr(request, "_body"):
        parts: list[bytes] = []
        size = 0
        async for part in request.stream():
            size += len(part)
            if size > largest:
                raise _too_large(largest)
            parts.append(part)
        request._body = b"".join(parts)  # where Starlette keeps it for `request.body()`
    body = await request.body()
    if len(body) > largest:
        raise _too_large(largest)
    return body


def _too_large(largest: int) -> HTTPException:
    return HTTPException(413, f"A webhook's body may have up to {largest:,} bytes.")

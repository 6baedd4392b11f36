"""What a page says once after something was done: it travels in a cookie through the redirect."""

import base64
import json
from typing import Literal

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from bascule.audit.middleware import REFUSED

COOKIE = "bascule_said"
SAID, NEXT = 1800, 800  # bytes of text; a cookie holds 4 kB, a third of which its writing takes

Kind = Literal["done", "failed", "note"]


def back_to(
    path: str, said: str = "", *, kind: Kind = "done", next_step: str = ""
) -> RedirectResponse:
    """A redirect after a form, to a path of ours, with what the page there shall say."""
    response = RedirectResponse(path, 303)
    if kind == "failed":
        response.headers[REFUSED] = "true"
    if said:
        note = {"kind": kind, "said": _fitting(said, SAID), "next_step": _fitting(next_step, NEXT)}
        value = base64.urlsafe_b64encode(json.dumps(note, ensure_ascii=False).encode())
        response.set_cookie(COOKIE, value.decode(), max_age=60, httponly=True, samesite="lax")
    return response


def _fitting(text: str, most: int) -> str:
    """As much of it as `most` bytes of JSON hold, with a sign where that is not all."""
    if len(json.dumps(text, ensure_ascii=False).encode()) <= most:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        fits = len(json.dumps(f"{text[:middle]}…", ensure_ascii=False).encode()) <= most
        low, high = (middle, high) if fits else (low, middle - 1)
    return f"{text[:low]}…"


def take(request: Request) -> dict[str, str] | None:
    """What was said, if anything; who shows it calls `forget`. A strange cookie says nothing."""
    kept = request.cookies.get(COOKIE)
    if kept is None:
        return None
    try:
        note = json.loads(base64.urlsafe_b64decode(kept))
    except ValueError:
        return None
    if not isinstance(note, dict) or not all(isinstance(part, str) for part in note.values()):
        return None
    return {"kind": "note", "said": "", "next_step": "", **note}


def forget(response: Response) -> None:
    response.delete_cookie(COOKIE)

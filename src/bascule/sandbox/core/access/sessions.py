"""Sign-in with a password: sessions that a browser or a client keeps by the cookie `sid`.

Follows frappe/auth.py and frappe/sessions.py. Attempts are not counted, and no second factor is
asked for.
"""

import secrets
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import NoReturn
from urllib.parse import quote

from bascule.sandbox.core.access.permissions import ADMINISTRATOR, GUEST
from bascule.sandbox.core.database.tables import Tables
from bascule.sandbox.core.errors import Call, Refusal
from bascule.sandbox.core.values import cint, cstr

_LONGEST_PASSWORD = 512
_UNSAFE = ("POST", "PUT", "DELETE", "PATCH")
_COOKIES = ("sid", "system_user", "full_name", "user_id", "user_image")
_EXPIRED = "Sat, 01 Jan 2000 00:00:00 GMT"  # long ago


@dataclass
class Session:
    """`csrf_token` is there once a page told it to the browser; from then on writes need it."""

    sid: str
    user: str
    csrf_token: str | None = None


class Sessions:
    """The sessions of a site, by `sid`; a restored moment of the site leaves them as they are."""

    def __init__(self) -> None:
        self._known: dict[str, Session] = {}

    def start(self, user: str) -> Session:
        session = Session(secrets.token_hex(28), user)
        self._known[session.sid] = session
        return session

    def find(self, sid: str) -> Session | None:
        return self._known.get(sid)

    def end(self, session: Session) -> None:
        self._known.pop(session.sid, None)


def csrf_token(session: Session) -> str:
    """The token for a page; writes of that session carry it from now on."""
    session.csrf_token = session.csrf_token or secrets.token_hex(28)
    return session.csrf_token


def sid_of(cookie: str) -> str | None:
    """The session that a Cookie header names; None where it names none, or the guests' one."""
    try:
        found = SimpleCookie(cookie).get("sid")
    except CookieError:
        return None
    return found.value if found and found.value not in ("", GUEST) else None


def check_csrf(call: Call, session: Session | None, token: str | None) -> None:
    if call.method not in _UNSAFE or session is None or session.csrf_token in (None, token):
        return
    call.refuse("Invalid Request", "CSRFTokenError")


def authenticated(call: Call, tables: Tables, usr: object, pwd: object) -> str:
    """The user of that name and password; 401 with Frappe's message otherwise."""
    name, password = cstr(usr), cstr(pwd)
    if not (name and password):
        _fail(call, "Incomplete login details")
    if len(password) > _LONGEST_PASSWORD:
        _fail(call, "Password size exceeded the maximum allowed size")
    row = tables.row("User", name)
    kept = tables.password("User", row["name"], "password") if row else None
    if row is None or not kept or not secrets.compare_digest(kept.encode(), password.encode()):
        _fail(call, "Invalid login credentials")
    if row["name"] != ADMINISTRATOR and not cint(row.get("enabled", 1)):
        _fail(call, "User disabled or missing")
    return str(row["name"])


def _fail(call: Call, told: str) -> NoReturn:
    call.extras["message"] = told
    raise Refusal("AuthenticationError")


def cookies_of(session: Session, tables: Tables, seconds: int) -> list[str]:
    """The Set-Cookie headers of a session's answers; `seconds`: how long the session lasts."""
    row = tables.row("User", session.user) or {}
    names = filter(None, (row.get("first_name"), row.get("last_name")))
    values = {
        "sid": session.sid,
        "system_user": "no" if row.get("user_type") == "Website User" else "yes",
        "full_name": " ".join(map(cstr, names)),
        "user_id": session.user,
        "user_image": cstr(row.get("user_image")),
    }
    kept = f"; HttpOnly; Max-Age={seconds}"
    return [
        f"{name}={quote(value)}{kept if name == 'sid' else ''}; Path=/; SameSite=Lax"
        for name, value in values.items()
    ]


def no_cookies() -> list[str]:
    """What takes the cookies of a session away from its client."""
    return [f"{name}=; Expires={_EXPIRED}; Path=/" for name in _COOKIES]


def seconds_of(expiry: str) -> int:
    """Of System Settings' `session_expiry`: hours, minutes and perhaps seconds."""
    hours, minutes, seconds, *_ = [*map(cint, expiry.split(":")), 0, 0, 0]
    return hours * 3600 + minutes * 60 + seconds

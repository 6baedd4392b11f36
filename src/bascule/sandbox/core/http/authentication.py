"""Who calls: by the Authorization header, or by the cookie of a session."""

import base64
import binascii

from bascule.sandbox.core.access.sessions import check_csrf, cookies_of, no_cookies, sid_of
from bascule.sandbox.core.database.tables import Row
from bascule.sandbox.core.errors import Call, Refusal
from bascule.sandbox.core.http.answers import Ask
from bascule.sandbox.core.site import Site

_LOGIN = ("/api/method/login", "/api/v2/method/login")


def identify(site: Site, call: Call, ask: Ask, form: Row) -> None:
    """Sets the call's user. 401 for a header that is no good, 400 for a session's write without
    its CSRF token. Whoever signs in is nobody until then.
    """
    if form.get("cmd") == "login" or ask.path in _LOGIN:
        return
    sid = sid_of(ask.headers.get("cookie", ""))
    session = site.sessions.find(sid) if sid else None
    if sid and session is None:
        call.extras["session_expired"] = 1
        call.signed_out = True
    token = ask.headers.get("x-frappe-csrf-token") or form.pop("csrf_token", None)
    if session is not None:
        call.user, call.sid = session.user, session.sid
        check_csrf(call, session, token)
    parts = ask.headers.get("authorization", "").split(" ")
    if len(parts) == 2:
        call.user = _of_header(site, *parts)


def _of_header(site: Site, scheme: str, token: str) -> str:
    scheme = scheme.lower()
    if scheme == "basic":
        try:
            token = base64.b64decode(token).decode("utf-8", "replace")
        except binascii.Error as error:
            told = "Failed to decode token, please provide a valid base64-encoded token."
            raise Refusal("InvalidAuthorizationToken", told) from error
    key, colon, secret = token.partition(":")
    known = scheme in ("basic", "token") and colon and ":" not in secret
    user = site.permissions.authenticated(key, secret) if known else None
    if user is None:
        raise Refusal("AuthenticationError")
    return user


def cookies_after(site: Site, call: Call) -> list[str]:
    """The answer's Set-Cookie headers: of a session that goes on, or that is no more."""
    session = site.sessions.find(call.sid) if call.sid else None
    if session is not None:
        return cookies_of(session, site.tables, site.session_seconds())
    return no_cookies() if call.signed_out else []

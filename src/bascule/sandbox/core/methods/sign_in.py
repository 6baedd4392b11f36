"""Signing in with a password, and out."""

from typing import Any

from bascule.sandbox.core.access.permissions import GUEST
from bascule.sandbox.core.access.sessions import authenticated
from bascule.sandbox.core.errors import Call
from bascule.sandbox.core.methods.whitelist import whitelisted
from bascule.sandbox.core.site import Site
from bascule.sandbox.core.values import cstr
from bascule.sandbox.core.versions import HOME


@whitelisted("login", guests=True)
def login(site: Site, call: Call, usr: Any = None, pwd: Any = None) -> None:
    """Starts a session, whose `sid` goes to the caller as a cookie."""
    session = site.sessions.start(authenticated(call, site.tables, usr, pwd))
    call.user, call.sid = session.user, session.sid
    row = site.tables.row("User", session.user) or {}
    names = filter(None, (row.get("first_name"), row.get("last_name")))
    call.extras |= {"message": "Logged In", "home_page": HOME[site.schema.major]}
    call.extras["full_name"] = " ".join(map(cstr, names))


@whitelisted("logout", guests=True)
def logout(site: Site, call: Call) -> None:
    """Ends the caller's session, if there is one."""
    session = site.sessions.find(call.sid) if call.sid else None
    if session is not None:
        site.sessions.end(session)
        call.user, call.sid, call.signed_out = GUEST, None, True

"""Where passkeys are good: at the one address that people open, and what a browser signs there."""

import json
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request
from webauthn.helpers import bytes_to_base64url, parse_client_data_json
from webauthn.helpers.base64url_to_bytes import base64url_to_bytes

from bascule.accounts.sign_in.challenges import take
from bascule.accounts.tables import Challenge, User
from bascule.errors import Conflict, Invalid
from bascule.hub import Hub
from bascule.settings import is_kept_from_others

LONGEST = 20_000  # characters of what a browser sends
HERE = "localhost"  # on loopback browsers take this name alone, and no number


@dataclass(frozen=True, slots=True)
class Place:
    rp_id: str  # a host
    origin: str  # scheme, host and port, as the browser says it


class NotTheirs(Invalid):
    """What was signed is not what was asked, or not by who it is said to be; `reason` for the
    audit; `user`: whose key has signed it all the same.
    """

    def __init__(self, reason: str, *, user: User | None = None) -> None:
        super().__init__(
            "This passkey was not taken.",
            next_step="Try once more; if it stays, use another one, a code, or your password.",
            fields={"credential": "is not what was asked for"},
        )
        self.reason, self.user = reason, user


def place_if_any(hub: Hub, request: Request) -> Place | None:
    """None: no browser has passkeys at this address."""
    public = hub.settings.public_url
    url = public.rstrip("/") if public else f"{request.url.scheme}://{request.url.netloc}"
    at = urlsplit(url.lower())
    host = at.hostname or ""
    if not is_kept_from_others(url) or _is_number(host) or (public is None and host != HERE):
        return None
    usual = {"https": 443, "http": 80}[at.scheme]
    port = f":{at.port}" if at.port not in (None, usual) else ""
    return Place(host, f"{at.scheme}://{host}{port}")


def place_of(hub: Hub, request: Request) -> Place:
    """Conflict: see `place_if_any`."""
    found = place_if_any(hub, request)
    if found is None:
        raise Conflict(
            "There are no passkeys at this address: browsers have them at a name with HTTPS, and "
            "on their own machine at http://localhost.",
            next_step="Open the hub at such an address; behind a proxy BASCULE_PUBLIC_URL says it.",
        )
    return found


def bound_to(request: Request) -> str:
    """What names this sign-in, of a browser or a program, and is no secret of it."""
    if request.state.via == "session":
        return f"session {request.state.session.id_hash}"
    return f"family {request.state.family.id}"


def read(credential: str) -> dict[str, Any]:
    """What a browser sent. NotTheirs: it is nothing of the kind."""
    try:
        said = json.loads(credential) if len(credential) <= LONGEST else None
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict) or not isinstance(said.get("response"), dict):
        raise NotTheirs("no credential")
    return said


async def answered(
    hub: Hub, purpose: str, said: dict[str, Any], *, bound_to: str, user: User | None
) -> str:
    """The challenge that this answers, which is over by that whatever comes of it. NotTheirs."""
    try:
        client = parse_client_data_json(base64url_to_bytes(said["response"]["clientDataJSON"]))
        value = bytes_to_base64url(client.challenge)
    except Exception as error:  # its parser raises what it likes
        raise NotTheirs(type(error).__name__) from None
    found: Challenge | None = None
    async with hub.db.session() as session:
        found = await take(session, purpose, value, bound_to=bound_to)
    if found is None or found.user_id != (user.id if user else None):
        raise NotTheirs("nobody asked for it")
    if client.cross_origin:
        raise NotTheirs("asked within another site's page")
    return value


def _is_number(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True

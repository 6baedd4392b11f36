"""Each user's own ERPNext and Nextcloud: kept with the user, their secrets encrypted, and tried.

What is shared by everybody is a connection and lives in `connections`.
"""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from bascule.accounts.allowed_sites.allowlist import reach_of, refuse_inside
from bascule.accounts.tables import User
from bascule.errors import HubError, Invalid
from bascule.frappe import FrappeError, Site
from bascule.frappe.address import site_url
from bascule.hub import Hub
from bascule.reach import MayConnect, is_refused
from bascule.store.address_binding import refuse_moved

LONGEST = 512  # as the columns are
SECRETS = {"erpnext_api_secret", "nextcloud_password"}
PATIENCE = 15.0  # seconds; somebody is waiting for the verdict
MOST_SHOWN = 1_000  # characters of what a site said
# Of a refusal no more than this is shown: what else may answer there, is nobody's to read.
FRAPPES_OWN = ("exc_type", "exception", "_server_messages", "_error_message")
LOGGED_USER = "frappe.auth.get_logged_user"


class NotConfigured(HubError):
    def __init__(self) -> None:
        super().__init__(
            "ERPNext credentials not configured",
            next_step="PUT /api/auth/settings with erpnext_url, erpnext_api_key and "
            "erpnext_api_secret, or fill them in on the page My settings.",
        )


async def change_settings(hub: Hub, user: User, changes: Mapping[str, str]) -> User:
    """Changes what is named; an empty text clears it. Invalid names every field that is wrong, and
    a secret that would come to stand beside another address without being given again.
    """
    clean: dict[str, str | None] = {}
    wrong: dict[str, str] = {}
    for name, value in changes.items():
        try:
            clean[name] = _rules(hub.settings.may_connect)[name](value.strip()) or None
        except ValueError as error:
            wrong[name] = str(error)
    if wrong:
        said = "; ".join(f"{name} {reason}" for name, reason in wrong.items())
        raise Invalid(
            f"These settings cannot be saved: {said}.",
            next_step="Correct what is named and send it again; nothing was changed.",
            fields=wrong,
        )
    for name in ("erpnext_url", "nextcloud_url"):
        if address := clean.get(name):
            await refuse_inside(hub, address, user, field=name)
    async with hub.db.session() as session:
        await hub.vault.hold(session)
        kept = await session.get_one(User, user.id, with_for_update=True)
        refuse_moved(kept, clean)
        for name, text in clean.items():
            setattr(kept, name, hub.vault.encrypt(text) if text and name in SECRETS else text)
        await session.flush()
        session.expunge(kept)
    return kept


async def test_erpnext(hub: Hub, user: User) -> tuple[str | None, str]:
    """The user that these credentials are in ERPNext, or None and what was said instead.

    NotConfigured where address, key or secret is missing.
    """
    if not (user.erpnext_url and user.erpnext_api_key and user.erpnext_api_secret):
        raise NotConfigured
    secret = hub.vault.decrypt(user.erpnext_api_secret)
    try:
        site = Site(
            user.erpnext_url,
            user.erpnext_api_key,
            secret,
            allow_http=hub.settings.allow_http,
            ca_bundle=hub.settings.ca_bundle,
            may_connect=await reach_of(hub, user.erpnext_url, user, trial=True),
            timeout=PATIENCE,
        )
        async with site:
            status, body = await site.answer_of(LOGGED_USER)
    except ValueError as error:  # plain HTTP to another machine, or what no key holds
        return None, str(error)
    except FrappeError as error:
        return None, f"{error} {error.next_step}"
    found, said = _verdict(status, body)
    return found, said.replace(secret, "***")


def _verdict(status: int, body: str) -> tuple[str | None, str]:
    try:
        answer = msgspec.json.decode(body)
    except msgspec.DecodeError:
        answer = None
    if not isinstance(answer, dict):
        # Not shown: an address that leads inside would let anybody read what is there.
        return None, f"HTTP {status}: a page and not an answer of ERPNext; check the address."
    if not 200 <= status < 300:
        told = {name: answer[name] for name in FRAPPES_OWN if isinstance(answer.get(name), str)}
        if "exc_type" not in told:
            return None, f"HTTP {status}: not what ERPNext answers; check the address."
        return None, f"HTTP {status}: {msgspec.json.encode(told).decode()[:MOST_SHOWN]}"
    user = answer.get("message")
    if not isinstance(user, str):
        return None, f"HTTP {status}: not what ERPNext answers; check the address."
    if user == "Guest":
        return None, "The credentials did not reach ERPNext; a proxy before it may drop them."
    return user, ""


def _rules(may_connect: MayConnect) -> dict[str, Callable[[str], str]]:
    def url(value: str) -> str:
        if value:
            _text(value)
            try:
                site_url(value, allow_http=True)
            except ValueError as error:  # a sentence; what is wrong follows the field's name here
                said = str(error).removeprefix("The site's address ").rstrip(".")
                raise ValueError(said) from None
            if is_refused(_host(value), may_connect):
                raise ValueError("is not one that this hub may connect to; see docs/settings.md")
        return value

    return {
        "erpnext_url": url,
        "erpnext_api_key": _text,
        "erpnext_api_secret": _text,
        "nextcloud_url": url,
        "nextcloud_username": _text,
        "nextcloud_password": _text,
    }


def _text(value: str) -> str:
    if len(value) > LONGEST:
        raise ValueError(f"is longer than {LONGEST} characters")
    if not value.isprintable():
        raise ValueError("contains characters that cannot be written, such as a line break")
    return value


def _host(url: str) -> str:
    return urlsplit(site_url(url, allow_http=True)).hostname or ""


def shown(user: User) -> dict[str, Any]:
    """What may be seen of a user's settings: that there are secrets, and not which."""
    names = ("username", "email", "role", "erpnext_url", "erpnext_api_key")
    seen: dict[str, Any] = {name: getattr(user, name) for name in names}
    seen["erpnext_api_secret_set"] = user.erpnext_api_secret is not None
    seen["nextcloud_url"] = user.nextcloud_url
    seen["nextcloud_username"] = user.nextcloud_username
    seen["nextcloud_password_set"] = user.nextcloud_password is not None
    return seen

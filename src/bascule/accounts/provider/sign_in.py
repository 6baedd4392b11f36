"""A sign-in by the provider, from the button to the account: see `client` and `id_token` for what
is asked and checked, `identities` for whom it lets in.

The browser that leaves has a cookie; the state is bound to it, and PKCE's verifier and the nonce
are derived from both. So nobody is signed in by an answer that their own browser did not ask for.
"""

import base64
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import Request, Response

from bascule.accounts.cookies import delete_cookie, read_cookie, set_cookie
from bascule.accounts.origin import address_of, local_path, network_of, public_url
from bascule.accounts.provider.client import Provider, ProviderFailed, provider_of
from bascule.accounts.provider.id_token import NotTrue, Told, claims_of, kid_of, told_by
from bascule.accounts.sign_in.challenges import LASTS, ask, derived, take
from bascule.accounts.tables import Challenge, User
from bascule.errors import Invalid, NoSuch
from bascule.hub import Hub
from bascule.settings import LOOPBACK, words_in

COOKIE = "bascule_oidc"
BACK = "/sign-in/oidc/callback"
SIGN_IN, ANEW, CONNECT = "oidc", "oidc anew", "oidc connect"
FRESH = timedelta(minutes=10)  # since they showed the provider that it is them
FACTOR = "mfa"  # of amr: RFC 8176


class Returned(Invalid):
    """What came back is not what this browser was sent for; `reason` for the audit."""

    def __init__(self, message: str, *, next_step: str, reason: str) -> None:
        super().__init__(message, next_step=next_step)
        self.reason = reason


def the_provider(hub: Hub) -> Provider:
    """NoSuch: this hub has none."""
    found = provider_of(hub)
    if found is None:
        raise NoSuch(
            "This hub has no sign-in by a company's provider.",
            next_step="Sign in with your password; docs/sign-in.md tells how it is set up.",
        )
    return found


async def leave(
    hub: Hub, request: Request, purpose: str, *, next: str = "/", user: User | None = None
) -> tuple[str, str]:
    """Where the browser goes, and its cookie's value for `remember`. ProviderFailed; NoSuch."""
    provider, back = the_provider(hub), _back(hub, request)
    cookie = secrets.token_urlsafe(32)
    network = network_of(address_of(request, hub.settings))
    await provider.described()  # before anything is kept
    async with hub.db.session() as session:
        state = await ask(
            session,
            purpose,
            bound_to=cookie,
            network=network,
            user=user,
            next=local_path(next)[:2000],
        )
    verifier, nonce = derived(cookie, state, "verifier"), derived(cookie, state, "nonce")
    hashed = hashlib.sha256(verifier.encode()).digest()
    challenge = base64.urlsafe_b64encode(hashed).rstrip(b"=").decode()
    anew = purpose != SIGN_IN
    return await provider.where_to(state, nonce, challenge, back, anew=anew), cookie


def remember(hub: Hub, request: Request, response: Response, cookie: str) -> None:
    set_cookie(hub, request, response, COOKIE, cookie, LASTS)


def forget(hub: Hub, request: Request, response: Response) -> None:
    delete_cookie(hub, request, response, COOKIE)


async def asked_for(hub: Hub, request: Request, state: str) -> tuple[Challenge, str]:
    """What this browser left for, which is over by that, and its cookie. Returned."""
    cookie = read_cookie(hub, request, COOKIE) or ""
    found = None
    async with hub.db.session() as session:
        for purpose in (SIGN_IN, ANEW, CONNECT):
            found = found or await take(session, purpose, state, bound_to=cookie)
    if found is None:
        raise Returned(
            "This sign-in was not begun in this browser, was used already, or took longer than 10 "
            "minutes.",
            next_step="Begin once more with the button.",
            reason="unknown state",
        )
    return found, cookie


async def come_back(
    hub: Hub, request: Request, cookie: str, state: str, said: dict[str, str]
) -> Told:
    """Who the provider says it is. Returned; ProviderFailed."""
    provider = the_provider(hub)
    at = await provider.described()
    # Before anything else of the answer: it may be another provider's (RFC 9207).
    if said.get("iss", provider.issuer if not at.names_itself else "") != provider.issuer:
        raise Returned(
            "This answer is not of the sign-in service that you were sent to.",
            next_step="Begin once more with the button.",
            reason="another issuer answered",
        )
    if "error" in said or not said.get("code"):
        raise _refused_there(said.get("error", ""))
    verifier, nonce = derived(cookie, state, "verifier"), derived(cookie, state, "nonce")
    tokens = await provider.exchanged(said["code"], verifier, _back(hub, request))
    try:
        return told_by(provider.issuer, await _believed(provider, at.algorithms, tokens, nonce))
    except NotTrue as why:
        raise ProviderFailed(
            f"What the sign-in service said cannot be believed: of its ID token, {why}.",
            next_step="Begin once more; if it stays, tell an admin of this hub.",
            reason=str(why),
        ) from None


async def _believed(
    provider: Provider, algorithms: Sequence[str], tokens: Mapping[str, Any], nonce: str
) -> dict[str, Any]:
    """What the ID token says, and of the userinfo what it leaves out. NotTrue; ProviderFailed."""
    token = tokens.get("id_token")
    if not isinstance(token, str):
        raise NotTrue("there is none")
    claims = claims_of(
        token,
        await provider.keys(kid_of(token)),
        issuer=provider.issuer,
        client_id=provider.client_id,
        nonce=nonce,
        algorithms=algorithms,
    )
    access_token = tokens.get("access_token")
    if "email" in claims or not isinstance(access_token, str):
        return claims
    more = await provider.userinfo(access_token)
    if more and more.get("sub") != claims["sub"]:
        raise NotTrue("it and the userinfo are of two people")
    return {**more, **claims}


def counts_as_factor(hub: Hub, told: Told) -> bool:
    """Whether they gave a second factor there, as far as this hub's settings believe it."""
    settings = hub.settings
    if settings.oidc_second_factor != "told":
        return settings.oidc_second_factor == "always"
    return FACTOR in told.amr or told.acr.lower() in words_in(settings.oidc_acr)


def shown_at(told: Told) -> datetime | None:
    """When they showed the provider that it is them, where that is known."""
    now = datetime.now(UTC)
    return None if told.auth_time is None else min(told.auth_time, now)


def _back(hub: Hub, request: Request) -> str:
    """Where the provider sends the browser back to: never where only a header says so."""
    if hub.settings.public_url is None and request.url.hostname not in LOOPBACK:
        raise Invalid(
            "The address that you have the hub open at is not one that it knows as its own.",
            next_step="Set BASCULE_PUBLIC_URL to the address in the browser.",
        )
    return public_url(request, hub.settings) + BACK


def _refused_there(error: str) -> Returned:
    plain = error if error.replace("_", "").isalnum() and error.isascii() else "nothing of use"
    if error == "access_denied":
        return Returned(
            "You were not signed in there: you, or the sign-in service, said no.",
            next_step="Begin once more, or ask whoever looks after it to let you use this hub.",
            reason="access_denied",
        )
    return Returned(
        f"The sign-in service answered {plain[:60]} and no code.",
        next_step="Begin once more; if it stays, an admin of this hub looks at its settings there: "
        "the address to lead back to has to be there as it is here.",
        reason=plain[:60],
    )

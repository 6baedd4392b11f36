"""The company's OpenID Connect provider as it describes itself, and what it is asked over HTTP.

Where it is and what it calls us the environment says. Its discovery document is believed only as
far as it names that very issuer; every address in it is HTTPS, or on this machine where the issuer
is. No redirect is followed, answers are bounded, and neither a code nor a token is ever logged.
"""

import asyncio
import base64
import json
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import aiohttp

from bascule.accounts.provider.http import Unreachable, asked, opened
from bascule.accounts.provider.id_token import ALGORITHMS
from bascule.errors import HubError
from bascule.hub import Hub
from bascule.settings import LOOPBACK, Settings

WELL_KNOWN = "/.well-known/openid-configuration"
SCOPES = "openid email profile"
KEPT = 3600.0  # seconds that its description and its keys are believed
NOT_AGAIN = 5.0  # seconds in which one that failed is not asked: who comes meanwhile waits for none
ASKED_AGAIN = 20.0  # seconds before keys are asked for once more because one is not known
MOST_KEYS = 50
METHODS = ("client_secret_basic", "client_secret_post")


class ProviderFailed(HubError):
    """It cannot be reached, or is not what it has to be; `reason` for the audit."""

    def __init__(self, message: str, *, next_step: str, reason: str) -> None:
        super().__init__(message, next_step=next_step)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Described:
    """What of the discovery document is used."""

    authorization: str
    token: str
    keys: str
    userinfo: str | None
    algorithms: tuple[str, ...]
    secret_in_body: bool
    names_itself: bool  # in each answer, as `iss`: RFC 9207


class Provider:
    """One a process. Opened when it is first asked."""

    def __init__(self, settings: Settings) -> None:
        assert settings.oidc_issuer and settings.oidc_client_id  # noqa: S101 - see `provider_of`
        self.issuer, self.client_id = settings.oidc_issuer, settings.oidc_client_id
        self.settings = settings
        self._http: aiohttp.ClientSession | None = None
        self._lock = asyncio.Lock()
        self._described: tuple[float, Described] | None = None
        self._keys: tuple[float, list[dict[str, Any]]] | None = None
        self._failed: dict[str, tuple[float, ProviderFailed]] = {}

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()

    async def described(self) -> Described:
        """ProviderFailed."""
        async with self._lock:
            if self._described is None or time.monotonic() - self._described[0] > KEPT:
                url = self.issuer.rstrip("/") + WELL_KNOWN
                with self._failing("discovery"):
                    found = described(self.issuer, await self._ask("discovery", "GET", url))
                self._described = time.monotonic(), found
            return self._described[1]

    async def keys(self, kid: str | None = None) -> list[dict[str, Any]]:
        """Its public keys as JWKs. Asked for anew where none has this name, as it gets new ones."""
        at = (await self.described()).keys
        async with self._lock:
            age = time.monotonic() - self._keys[0] if self._keys else KEPT
            known = self._keys is not None and (
                kid is None or any(key.get("kid") == kid for key in self._keys[1])
            )
            if self._keys is None or age >= KEPT or (not known and age > ASKED_AGAIN):
                with self._failing("keys"):
                    fit = _keys_in(await self._ask("keys", "GET", at))
                self._keys = time.monotonic(), fit
            return self._keys[1]

    async def where_to(
        self, state: str, nonce: str, challenge: str, back: str, *, anew: bool = False
    ) -> str:
        """The address that a browser is sent to. `anew`: to show there that it is them."""
        said = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": back,
            "scope": SCOPES,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        if anew:
            said |= {"prompt": "login", "max_age": "0"}
        at = (await self.described()).authorization
        return f"{at}{'&' if urlsplit(at).query else '?'}{urlencode(said)}"

    async def exchanged(self, code: str, verifier: str, back: str) -> dict[str, Any]:
        """The tokens for a code. ProviderFailed."""
        at = await self.described()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": back,
            "code_verifier": verifier,
        }
        headers: dict[str, str] = {}
        secret = self.settings.oidc_client_secret
        if secret is None or at.secret_in_body:
            form["client_id"] = self.client_id
        if secret is not None and at.secret_in_body:
            form["client_secret"] = secret.get_secret_value()
        elif secret is not None:
            # Both are form-encoded before they are joined: RFC 6749, 2.3.1.
            pair = ":".join(quote(each, "") for each in (self.client_id, secret.get_secret_value()))
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        return await self._ask("token", "POST", at.token, form=form, headers=headers)

    async def userinfo(self, access_token: str) -> dict[str, Any]:
        at = (await self.described()).userinfo
        if at is None:
            return {}
        headers = {"Authorization": f"Bearer {access_token}"}
        return await self._ask("userinfo", "GET", at, headers=headers)

    @contextmanager
    def _failing(self, what: str) -> Iterator[None]:
        """One request at a time, and none again at once where it failed: those who come together
        would wait for one time-out after the other.
        """
        at, failed = self._failed.get(what, (0.0, None))
        if failed is not None and time.monotonic() - at < NOT_AGAIN:
            raise ProviderFailed(
                failed.message, next_step=failed.next_step, reason=failed.reason
            ) from None
        try:
            yield
        except ProviderFailed as error:
            self._failed[what] = time.monotonic(), error
            raise

    async def _ask(self, what: str, method: str, url: str, **more: Any) -> dict[str, Any]:
        try:
            if self._http is None:
                self._http = opened(self.settings.ca_bundle)
            status, body = await asked(self._http, method, url, **more)
        except (Unreachable, ssl.SSLError, OSError) as failed:
            raise ProviderFailed(
                f"The sign-in service of {self.settings.oidc_name} cannot be reached: {failed}.",
                next_step="Try again in a moment, or sign in with your password. 'bascule doctor' "
                "on the hub's machine tells what is wrong.",
                reason=f"{what} unreachable",
            ) from None
        said = _json(body)
        if status != 200 or said is None:
            told = said.get("error") if said else None
            why = told if isinstance(told, str) and told.isascii() else f"HTTP {status}"
            raise _strange(f"it answered {why[:60]} when asked for {what}", what)
        return said


def described(issuer: str, said: Mapping[str, Any]) -> Described:
    """A discovery document, as far as it fits. ProviderFailed: it does not."""
    if said.get("issuer") != issuer:
        raise _strange(
            f"its discovery document is of the issuer {str(said.get('issuer'))[:200]!r}, and "
            f"BASCULE_OIDC_ISSUER is {issuer!r}; both have to be the same, to the last slash",
            "discovery",
        )
    at = {}
    for name in ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"):
        url = said.get(name)
        if url is None and name == "userinfo_endpoint":
            continue
        if not isinstance(url, str) or not _is_safe(url, issuer):
            raise _strange(f"its {name} is missing or no HTTPS address", "discovery")
        at[name] = url
    ours = tuple(
        each for each in ALGORITHMS if each in _list(said, "id_token_signing_alg_values", each)
    )
    if not ours:
        raise _strange("it signs with none of " + ", ".join(ALGORITHMS), "discovery")
    if "code" not in _list(said, "response_types", "code"):
        raise _strange("it has no authorization code flow", "discovery")
    if "S256" not in _list(said, "code_challenge_methods", "S256"):
        raise _strange("it has no PKCE with S256", "discovery")
    ways = _list(said, "token_endpoint_auth_methods", METHODS[0])
    return Described(
        authorization=at["authorization_endpoint"],
        token=at["token_endpoint"],
        keys=at["jwks_uri"],
        userinfo=at.get("userinfo_endpoint"),
        algorithms=ours,
        secret_in_body=METHODS[0] not in ways and METHODS[1] in ways,
        names_itself=said.get("authorization_response_iss_parameter_supported") is True,
    )


def _keys_in(said: Mapping[str, Any]) -> list[dict[str, Any]]:
    keys = said.get("keys")
    if not isinstance(keys, list):
        raise _strange("its keys are not a JWK set", "keys")
    return [key for key in keys[:MOST_KEYS] if isinstance(key, dict)]


def provider_of(hub: Hub) -> Provider | None:
    """This hub's, where it has one."""
    if hub.settings.oidc_issuer is None:
        return None
    found: Provider | None = hub.shared.get(Provider)
    if found is None:
        found = hub.shared[Provider] = Provider(hub.settings)
        hub.closing.push_async_callback(found.close)
    return found


def _is_safe(url: str, issuer: str) -> bool:
    at, of = urlsplit(url), urlsplit(issuer)
    if at.fragment or at.username is not None or not at.hostname:
        return False
    near = of.hostname in LOOPBACK and of.scheme == "http"
    return at.scheme == "https" or (near and at.scheme == "http" and at.hostname in LOOPBACK)


def _list(said: Mapping[str, Any], name: str, otherwise: str) -> list[Any]:
    found = said.get(f"{name}_supported", [otherwise])
    return found if isinstance(found, list) else []


def _strange(why: str, reason: str) -> ProviderFailed:
    return ProviderFailed(
        f"The sign-in service is not as it has to be: {why}.",
        next_step="Sign in with your password, and tell an admin of this hub; 'bascule doctor' on "
        "its machine looks at it.",
        reason=f"{reason} refused",
    )


def _json(body: bytes) -> dict[str, Any] | None:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return said if isinstance(said, dict) else None

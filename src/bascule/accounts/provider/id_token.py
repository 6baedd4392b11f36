"""Whether an ID token is the provider's, for this hub, of now and of this very sign-in.

Keys come from the provider alone, and only public ones count: neither a token without a signature
nor one signed with a text that everybody knows, such as the public key, is any. See OpenID Connect
Core 3.1.3.7 and RFC 8725.
"""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt

from bascule.accounts.people.users import EMAIL

# Of asymmetric keys alone; what a key is for is not the token's to say.
ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA"),
)
OF_KEYS = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
REQUIRED = ["iss", "sub", "aud", "exp", "iat"]
LEEWAY = 60  # seconds that clocks may differ
OLDEST = timedelta(minutes=15)  # one that was just made is wanted
LONGEST = 20_000  # characters
LONGEST_SUBJECT = 255


class NotTrue(Exception):
    """Why this token tells nothing; a few words, none of them of the token's."""


@dataclass(frozen=True, slots=True)
class Told:
    """Who somebody is at the provider. `email` only where it says that it is theirs."""

    issuer: str
    subject: str
    email: str | None
    unverified: str | None
    name: str
    amr: frozenset[str]
    acr: str
    auth_time: datetime | None


def kid_of(token: str) -> str | None:
    """Which key it says it is signed with. NotTrue."""
    return _header(token).get("kid")


def claims_of(
    token: str,
    keys: Sequence[Mapping[str, Any]],
    *,
    issuer: str,
    client_id: str,
    nonce: str,
    algorithms: Sequence[str],
) -> dict[str, Any]:
    """What it tells, once all of it is checked. NotTrue."""
    header = _header(token)
    algorithm = header.get("alg")
    if algorithm not in algorithms or algorithm not in ALGORITHMS:
        raise NotTrue("its algorithm is not one that the provider signs with")
    claims: dict[str, Any] | None = None
    for key in _fitting(keys, str(algorithm), header.get("kid")):
        claims = _opened(token, key, str(algorithm), issuer, client_id)
        if claims is not None:
            break
    if claims is None:
        raise NotTrue("no key of the provider's has signed it")
    audience = claims["aud"]
    if isinstance(audience, list) and len(audience) > 1 and claims.get("azp") != client_id:
        raise NotTrue("it is for several programs, and was not asked for by this one")
    if claims.get("azp", client_id) != client_id:
        raise NotTrue("another program asked for it")
    given = claims.get("nonce")
    if not isinstance(given, str) or not hmac.compare_digest(given.encode(), nonce.encode()):
        raise NotTrue("it is not of this sign-in: its nonce is another")
    if datetime.now(UTC) - _moment(claims["iat"]) > OLDEST:
        raise NotTrue("it was made too long ago")
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT or "\0" in subject:
        raise NotTrue("it names nobody")
    return claims


def told_by(issuer: str, claims: Mapping[str, Any]) -> Told:
    """Claims that were checked, in our words."""
    email = claims.get("email")
    email = email.strip().lower() if isinstance(email, str) else ""
    email = email if EMAIL.fullmatch(email) else None
    # Microsoft says it of the address' domain, where it was set to.
    verified = claims.get("email_verified") is True or claims.get("xms_edov") in (True, "1")
    shown = claims.get("email") or claims.get("preferred_username") or claims.get("name")
    amr = claims.get("amr")
    auth_time = claims.get("auth_time")
    return Told(
        issuer=issuer,
        subject=claims["sub"],
        email=email if verified else None,
        unverified=email,
        name=_plain(shown if isinstance(shown, str) else ""),
        amr=frozenset(each for each in amr if isinstance(each, str))
        if isinstance(amr, list)
        else frozenset(),
        acr=str(claims.get("acr", ""))[:255],
        auth_time=_moment(auth_time) if isinstance(auth_time, int | float) else None,
    )


def _header(token: str) -> dict[str, Any]:
    if len(token) > LONGEST:
        raise NotTrue("it is too long")
    try:
        return jwt.get_unverified_header(token)
    except (jwt.InvalidTokenError, ValueError):
        raise NotTrue("it cannot be read") from None


def _fitting(
    keys: Sequence[Mapping[str, Any]], algorithm: str, kid: object
) -> list[Mapping[str, Any]]:
    """Public keys of this kind that sign; by their name, where the token says one."""
    return [
        key
        for key in keys
        if key.get("kty") == OF_KEYS[algorithm[:2]]
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
        and "d" not in key
        and (kid is None or key.get("kid") == kid)
    ]


def _opened(
    token: str, key: Mapping[str, Any], algorithm: str, issuer: str, client_id: str
) -> dict[str, Any] | None:
    """None: this key has not signed it. NotTrue: it has, and what it says does not hold."""
    try:
        opened: dict[str, Any] = jwt.decode(
            token,
            jwt.PyJWK(dict(key), algorithm),
            algorithms=[algorithm],
            issuer=issuer,
            audience=client_id,
            leeway=LEEWAY,
            options={"require": REQUIRED},
        )
    except (jwt.InvalidSignatureError, jwt.PyJWKError, jwt.InvalidKeyError):
        return None
    except jwt.ExpiredSignatureError:
        raise NotTrue("it is over") from None
    except jwt.InvalidIssuerError:
        raise NotTrue("another issuer made it") from None
    except jwt.InvalidAudienceError:
        raise NotTrue("it is for another program") from None
    except (jwt.InvalidTokenError, ValueError, TypeError, OverflowError):
        raise NotTrue("what it says does not hold") from None
    return opened


def _moment(seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        raise NotTrue("its times are none") from None


def _plain(text: str) -> str:
    return "".join(each for each in text if each.isprintable())[:100]

"""Who holds a token guesses at the hub's secret key, offline; and a weak key behind a proxy."""

import base64
import hashlib
import hmac
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bascule.accounts import signing
from bascule.accounts.people import users
from bascule.accounts.sign_in import bearer_tokens
from bascule.accounts.sign_in.password_sign_in import welcome
from bascule.accounts.tables import SigningKey
from bascule.cli.admin.rotate_key import refuse_weak_key
from bascule.cli.exit_codes import Refused
from bascule.store.key_rotation import rotate
from bascule.store.vault import Vault, make_key
from tests.kit.database import FreshSettings
from tests.kit.hub import RunningHub
from tests.kit.visitors import Visitor

GUESSED = "hunter2"  # stands in every list of passwords
PASSWORD = "four words that rhyme"


@pytest.fixture(scope="module")
def weak_hub(fresh_settings: FreshSettings) -> Iterator[RunningHub]:
    with (
        fresh_settings(trusted_proxies="127.0.0.1", secret_key=GUESSED) as settings,
        RunningHub(settings, worker=False) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def signed_in(weak_hub: RunningHub) -> tuple[Visitor, dict[str, Any]]:
    async def made() -> None:
        async with weak_hub.hub.db.session() as session:
            _, link = await users.invite(session, "anna", role="admin")
        await welcome(weak_hub.hub, link, PASSWORD)

    weak_hub.run(made())
    visitor = Visitor(weak_hub.url)
    told = visitor.post("/api/auth/login", {"username": "anna", "password": PASSWORD})
    assert told.status == 200, told
    return visitor, told.json


def keys_from(secret: str) -> list[bytes]:
    """What an attacker would try who has read the source: every key derived from the secret."""
    raw = secret.encode()
    derived = [
        HKDF(SHA256(), length=32, salt=None, info=purpose.encode()).derive(raw)
        for purpose in (bearer_tokens.PURPOSE, bearer_tokens.SUCCESSION)
    ]
    return [raw, hashlib.sha256(raw).digest(), *derived]


def test_no_token_tells_whether_a_guess_at_the_secret_key_is_right(
    signed_in: tuple[Visitor, dict[str, Any]],
) -> None:
    visitor, told = signed_in
    head, _, signature = told["access_token"].rpartition(".")
    given = base64.urlsafe_b64decode(signature + "==")
    second = visitor.post("/api/auth/refresh", {"refresh_token": told["refresh_token"]}).json
    follower = second["refresh_token"]
    for key in keys_from(GUESSED):
        assert hmac.digest(key, head.encode(), "sha256") != given
        after = hmac.digest(key, told["refresh_token"].encode(), "sha256")
        assert base64.urlsafe_b64encode(after).rstrip(b"=").decode() != follower


def test_a_token_signed_by_what_was_guessed_opens_nothing(
    signed_in: tuple[Visitor, dict[str, Any]],
) -> None:
    visitor, told = signed_in
    token = told["access_token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    number = jwt.get_unverified_header(token)["kid"]
    assert visitor.with_token(token).get("/api/auth/me").status == 200
    for key in keys_from(GUESSED):
        for headers in ({}, {"kid": number}):
            made = jwt.encode(claims, key, "HS256", headers=headers)
            assert visitor.with_token(made).get("/api/auth/me").status == 401


def test_the_key_is_random_and_kept_encrypted(weak_hub: RunningHub) -> None:
    async def kept() -> tuple[signing.Key, str]:
        async with weak_hub.hub.db.session() as session:
            key = await signing.newest_key(weak_hub.hub, session)
            row = await session.get_one(SigningKey, key.id)
            return key, row.key_encrypted

    key, text = weak_hub.run(kept())
    assert key.secret not in text and len(key.secret) >= 40
    opened = Fernet(base64.urlsafe_b64encode(hashlib.sha256(GUESSED.encode()).digest()))
    assert opened.decrypt(text.encode()).decode() == key.secret


def test_keys_change_every_month_and_overlap(
    fresh_settings: FreshSettings,
) -> None:
    with (
        fresh_settings(trusted_proxies="127.0.0.1") as settings,
        RunningHub(settings, worker=False) as running,
    ):
        hub = running.hub

        async def newest() -> Any:
            async with hub.db.session() as session:
                return (await signing.newest_key(hub, session)).id

        async def passes(time: str) -> None:
            async with hub.db.connection() as conn:
                await conn.execute(
                    "UPDATE bascule.signing_keys SET created_at = created_at - %s::interval", [time]
                )

        async def known(number: Any) -> bool:
            async with hub.db.session() as session:
                await signing.forget_old_keys(session)
                return await signing.key_of(hub, session, number) is not None

        first = running.run(newest())
        running.run(passes("29 days"))
        assert running.run(newest()) == first
        running.run(passes("1 day"))
        second = running.run(newest())
        assert second != first
        assert running.run(known(first))  # a process may have signed with it just now
        running.run(passes("61 minutes"))
        assert not running.run(known(first))
        assert running.run(newest()) == second
        # With a new secret key, what the old one opened signs nothing any more.
        running.run(rotate(hub.db, Vault(make_key(), hub.vault.newest)))
        assert not running.run(known(second))


WEAK = Vault("changeme")


@pytest.mark.parametrize(
    "before",
    [
        {"public_url": "https://hub.example.com"},
        {"public_url": "http://192.168.1.20:8003"},
        {"proxies": "127.0.0.1"},
        {"public_url": "https://localhost", "proxies": "10.0.0.1"},
    ],
)
def test_a_weak_key_behind_a_proxy_is_refused(before: dict[str, str]) -> None:
    with pytest.raises(Refused) as refused:
        refuse_weak_key(WEAK, "127.0.0.1", **before)
    assert "openssl rand" in refused.value.next_step
    refuse_weak_key(Vault(make_key()), "127.0.0.1", **before)


def test_a_weak_key_that_nobody_else_reaches_is_taken() -> None:
    for public_url in (None, "http://localhost:8003", "http://127.0.0.1:8003"):
        refuse_weak_key(WEAK, "127.0.0.1", public_url=public_url)

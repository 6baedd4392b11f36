"""Access tokens that somebody made up or kept too long, and API tokens that somebody else holds."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import jwt
import pytest

from bascule.accounts import signing
from bascule.accounts.sign_in import bearer_tokens
from tests.kit.hub import RunningHub
from tests.kit.people import Make, People, Sql
from tests.kit.visitors import Somebody, Visitor

Claims = dict[str, Any]
MONTH = timedelta(days=30)


@pytest.fixture(scope="module")
def anna(running_hub: RunningHub) -> Somebody:
    return People(running_hub).make("admin")


@pytest.fixture(scope="module")
def right(anna: Somebody) -> tuple[Claims, str]:
    """What a token that opens something says, and itself."""
    token = anna.login()["access_token"]
    return jwt.decode(token, options={"verify_signature": False}), token


@pytest.fixture(scope="module")
def right_key(running_hub: RunningHub, right: tuple[Claims, str]) -> signing.Key:
    """The one that signed it."""

    async def newest() -> signing.Key:
        async with running_hub.hub.db.session() as session:
            return await signing.newest_key(running_hub.hub, session)

    found: signing.Key = running_hub.run(newest())
    assert jwt.get_unverified_header(right[1])["kid"] == str(found.id)
    return found


@pytest.fixture(scope="module")
def key(right_key: signing.Key) -> bytes:
    KID["kid"] = str(right_key.id)
    return right_key.derived(bearer_tokens.PURPOSE)


KID: dict[str, str] = {}  # what a header says of the key that signed right ones


def encoded(claims: Claims, key: bytes) -> str:
    return jwt.encode(claims, key, "HS256", headers=KID)


def part(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unsigned(header: Claims, claims: Claims, signature: bytes = b"") -> str:
    claims = {**claims, "exp": int(claims["exp"]), "iat": int(claims["iat"])}
    return f"{part(header)}.{part(claims)}.{part(signature)}"


def signed(header: Claims, claims: Claims, key: bytes, kind: Any = hashlib.sha256) -> str:
    head, body, _ = unsigned(header, claims).split(".")
    return f"{head}.{body}.{part(hmac.new(key, f'{head}.{body}'.encode(), kind).digest())}"


def test_the_key_and_the_claims_of_a_right_one_do_open(
    right: tuple[Claims, str], key: bytes, stranger: Visitor
) -> None:
    """Or the rest of this page would prove nothing."""
    claims, token = right
    for made in (token, encoded(claims, key), signed({"alg": "HS256", **KID}, claims, key)):
        assert stranger.with_token(made).get("/api/auth/me").status == 200
    assert claims["exp"] - claims["iat"] == 15 * 60


def made_up(claims: Claims, token: str, key: bytes, secret: str) -> dict[str, str]:
    now = datetime.now(UTC).timestamp()
    head, body, signature = token.split(".")
    hs256: Claims = {"alg": "HS256", "typ": "JWT", **KID}
    tricks = {
        "no signature": f"{head}.{body}.",
        "no signature and no dot": f"{head}.{body}",
        "a signature cut short": f"{head}.{body}.{signature[:20]}",
        "another body": f"{head}.{part({**claims, 'sub': '1'})}.{signature}",
        "five parts": f"{head}.{body}.{signature}.{body}.{signature}",
        "another key": encoded(claims, b"x" * 32),
        "an empty key": signed(hs256, claims, b""),
        "the secret key itself": signed(hs256, claims, secret.encode()),
        "the key of what is stored": signed(
            hs256, claims, hashlib.sha256(secret.encode()).digest()
        ),
        "a key that it brings along": signed(
            {**hs256, "jwk": {"kty": "oct", "k": part(b"x" * 32)}}, claims, b"x" * 32
        ),
        "a key at an address": signed({**hs256, "jku": "http://evil/"}, claims, b"x" * 32),
        "a key in a file": signed({**hs256, "kid": "../../../dev/null"}, claims, b""),
        "no key named": signed({"alg": "HS256", "typ": "JWT"}, claims, key),
        "a key that is not there": signed({**hs256, "kid": str(uuid4())}, claims, key),
        "a key of another kind": signed({**hs256, "kid": ["x"]}, claims, key),
        "HS384 with our key": signed({"alg": "HS384", **KID}, claims, key, hashlib.sha384),
        "HS512 with our key": signed({"alg": "HS512", **KID}, claims, key, hashlib.sha512),
        "RS256 with our key": signed({"alg": "RS256", **KID}, claims, key),
        "what must be understood and is not": signed({**hs256, "crit": ["x"], "x": 1}, claims, key),
        "expired": encoded({**claims, "exp": now - 1}, key),
        "from the time to come": encoded({**claims, "iat": now + 600}, key),
        "not valid yet": encoded({**claims, "nbf": now + 600}, key),
        "for others": encoded({**claims, "aud": "another"}, key),
        "from others": encoded({**claims, "iss": "another"}, key),
        "of nobody": encoded({**claims, "sub": "2147483647"}, key),
        "of an earlier password": encoded({**claims, "ver": claims["ver"] - 1}, key),
        "of a later password": encoded({**claims, "ver": claims["ver"] + 1}, key),
        "of a sign-in that never was": encoded({**claims, "sid": str(uuid4())}, key),
    }
    for alg in ("none", "None", "NONE", "nOnE", "", None, "HS256 "):
        tricks[f"alg {alg!r}"] = unsigned({"alg": alg, "typ": "JWT", **KID}, claims)
        tricks[f"alg {alg!r}, signed"] = signed({"alg": alg, **KID}, claims, key)
    tricks["no alg"] = signed({"typ": "JWT", **KID}, claims, key)
    for name in bearer_tokens.CLAIMS:
        less = {kept: value for kept, value in claims.items() if kept != name}
        tricks[f"without {name}"] = encoded(less, key)
    return tricks


def test_no_token_that_somebody_made_up_opens_anything(
    running_hub: RunningHub, right: tuple[Claims, str], key: bytes, stranger: Visitor
) -> None:
    tricks = made_up(*right, key, running_hub.hub.vault.newest)
    assert len(tricks) > 40
    for trick, token in tricks.items():
        answer = stranger.with_token(token).get("/api/users")
        assert answer.status == 401, (trick, answer)
        assert answer.headers["www-authenticate"].startswith("Bearer"), trick
        assert stranger.post("/api/auth/refresh", {"refresh_token": token}).status == 401, trick


def test_a_token_is_of_one_person_and_its_role_is_not_in_it(
    right: tuple[Claims, str], key: bytes, make_person: Make, stranger: Visitor
) -> None:
    """Nor does somebody else's sign-in carry it."""
    claims, _ = right
    assert not {"role", "scope", "admin", "username"} & set(claims)
    viewer = make_person("viewer")
    theirs = jwt.decode(viewer.login()["access_token"], options={"verify_signature": False})
    crossed = encoded({**theirs, "sid": claims["sid"]}, key)
    assert stranger.with_token(crossed).get("/api/auth/me").status == 401


def test_an_access_token_dies_with_the_key(
    running_hub: RunningHub, right: tuple[Claims, str], stranger: Visitor, monkeypatch: Any
) -> None:
    _, token = right
    assert stranger.with_token(token).get("/api/auth/me").status == 200
    monkeypatch.setattr(running_hub.hub.vault, "_keys", lambda: ["another key altogether", "x"])
    assert stranger.with_token(token).get("/api/auth/me").status == 401


def test_an_api_token_is_made_shown_once_used_and_revoked(
    anna: Somebody, sql: Sql, stranger: Visitor
) -> None:
    visitor = anna.visit()
    made = visitor.post("/api/auth/tokens", {"name": "  BI export ", "scope": "read"})
    assert made.status == 201
    token, number = made.json["token"], made.json["id"]
    assert made.json["name"] == "BI export"
    assert token.startswith("bsc_")
    assert len(token) > 40
    ((kept,),) = sql("SELECT to_json(t)::text FROM bascule.api_tokens t WHERE id = %s", [number])
    assert token not in kept
    assert token[4:] not in kept
    machine = stranger.with_token(token)
    assert machine.get("/api/users").status == 200
    listed = visitor.get("/api/auth/tokens")
    assert token not in listed.body.decode()
    (mine,) = [one for one in listed.json["tokens"] if one["id"] == number]
    assert (mine["name"], mine["scope"]) == ("BI export", "read")
    assert mine["last_used_at"] is not None
    assert visitor.delete(f"/api/auth/tokens/{number}").status == 200
    assert machine.get("/api/users").status == 401
    assert visitor.delete(f"/api/auth/tokens/{number}").status == 404


def test_a_token_reads_or_writes_and_expires(
    make_person: Make, make_token: Callable[..., str], stranger: Visitor, sql: Sql
) -> None:
    somebody = make_person("editor")
    reading = stranger.with_token(make_token(somebody, scope="read"))
    writing = stranger.with_token(make_token(somebody, scope="write"))
    later = datetime.now(UTC) + MONTH
    passing = stranger.with_token(make_token(somebody, scope="write", expires_at=later))
    for machine, status in ((reading, 403), (writing, 200), (passing, 200)):
        assert machine.get("/api/connectors").status == 200
        assert machine.put("/api/auth/settings", {"erpnext_api_key": "k"}).status == status
        assert machine.get("/api/users").status == 403  # no more than its owner may
    sql(
        "UPDATE bascule.api_tokens SET expires_at = now() - interval '1 second'"
        " WHERE user_id = %s AND expires_at < now() + interval '60 days'",
        [somebody.id],
    )
    assert passing.get("/api/connectors").status == 401
    assert writing.get("/api/connectors").status == 200
    past = somebody.visit().post(
        "/api/auth/tokens",
        {"name": "past", "expires_at": (datetime.now(UTC) - MONTH).isoformat()},
    )
    assert past.status == 422


def test_the_tokens_of_who_is_deactivated_open_nothing(
    make_person: Make, make_token: Callable[..., str], stranger: Visitor, admin: Visitor
) -> None:
    somebody = make_person("viewer")
    machine = stranger.with_token(make_token(somebody))
    assert machine.get("/api/auth/me").status == 200
    assert admin.patch(f"/api/users/{somebody.id}", {"active": False}).status == 200
    assert machine.get("/api/auth/me").status == 401


def test_somebody_elses_tokens_are_not_there(
    make_person: Make, stranger: Visitor, admin: Visitor, browse: Callable[..., Visitor]
) -> None:
    anna, other = make_person("editor"), make_person("editor")
    made = anna.visit().post("/api/auth/tokens", {"name": "hers", "scope": "write"}).json
    visitor, browser = other.visit(), browse(other)
    unknown = visitor.delete("/api/auth/tokens/999999")
    tried = visitor.delete(f"/api/auth/tokens/{made['id']}")
    assert (tried.status, tried.body) == (unknown.status, unknown.body) == (404, unknown.body)
    assert browser.ask("POST", f"/settings/tokens/{made['id']}/revoke", form={}).status == 404
    assert visitor.get("/api/auth/tokens").json["tokens"] == []
    # And an admin names whose it is.
    wrong = admin.delete(f"/api/users/{other.id}/tokens/{made['id']}")
    assert wrong.status == 404
    assert stranger.with_token(made["token"]).get("/api/auth/me").status == 200
    assert admin.delete(f"/api/users/{anna.id}/tokens/{made['id']}").status == 200
    assert stranger.with_token(made["token"]).get("/api/auth/me").status == 401


def test_a_link_works_once_for_seven_days_and_newer_ones_end_it(
    make_person: Make, stranger: Visitor, admin: Visitor, sql: Sql
) -> None:
    anna = make_person()
    old, new = (
        admin.post(f"/api/users/{anna.id}/reset").json["link"].rpartition("/")[2] for _ in range(2)
    )
    form = {"password": anna.password, "again": anna.password}
    assert stranger.get(f"/welcome/{old}").status == 404
    assert stranger.ask("POST", f"/welcome/{old}", form=form).status == 404
    assert stranger.get(f"/welcome/{new}").status == 200
    for wrong in (
        {"password": "short", "again": "short"},
        {"password": anna.password, "again": "another one"},
        {"password": anna.username, "again": anna.username},
    ):
        answer = stranger.ask("POST", f"/welcome/{new}", form=wrong)
        assert answer.status == 422
        assert anna.password not in answer.body.decode()
    age = "UPDATE bascule.one_time_links SET expires_at = now() + %s::interval WHERE user_id = %s"
    sql(age, ["-1 second", anna.id])
    assert stranger.ask("POST", f"/welcome/{new}", form=form).status == 404
    sql(age, ["1 minute", anna.id])
    assert stranger.ask("POST", f"/welcome/{new}", form=form).status == 303
    assert stranger.ask("POST", f"/welcome/{new}", form=form).status == 404
    link = admin.post(f"/api/users/{anna.id}/reset").json["link"].rpartition("/")[2]
    assert admin.patch(f"/api/users/{anna.id}", {"active": False}).status == 200
    assert stranger.get(f"/welcome/{link}").status == 404

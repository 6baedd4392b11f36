"""Who fails to sign in cannot tell why, by the words or by the work: each failure costs one look at
a password of the same strength.
"""

import re
from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher, extract_parameters

from bascule.accounts import passwords, throttle
from tests.kit.hub import RunningHub
from tests.kit.people import People, Sql
from tests.kit.visitors import Somebody, Visitor, next_address


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The hashes that passwords were compared with."""
    seen: list[str] = []
    verified = passwords._verified

    def counted(password: str, hashed: str) -> bool:
        seen.append(hashed)
        return verified(password, hashed)

    monkeypatch.setattr(passwords, "_verified", counted)
    yield seen


@pytest.fixture(scope="module")
def failing(running_hub: RunningHub, admin: Visitor) -> dict[str, Somebody]:
    make_person = People(running_hub).make
    people = {name: make_person() for name in ("wrong password", "deactivated", "invited")}
    admin.patch(f"/api/users/{people['deactivated'].id}", {"active": False})
    admin.post(f"/api/users/{people['invited'].id}/reset")
    return people


def names(failing: dict[str, Somebody]) -> dict[str, tuple[str, str]]:
    """A name and a password that do not go together, each for another reason."""
    wrong, off, invited = failing.values()
    return {
        "wrong": (wrong.username, "not the password"),
        "wrong, by e-mail": (wrong.email, "not the password"),
        "deactivated, the right one": (off.username, off.password),
        "deactivated, a wrong one": (off.username, "not the password"),
        "no password yet": (invited.username, invited.password),
        "nobody": ("nobody-of-this-name", "not the password"),
        "nobody, by e-mail": ("nobody@example.com", "not the password"),
    }


@pytest.mark.parametrize("where", ["/api/auth/login", "/sign-in"])
def test_each_failure_is_one_look_and_the_same_answer(
    where: str, failing: dict[str, Somebody], looks: list[str], stranger: Visitor, sql: Sql
) -> None:
    bodies = set()
    for why, (name, password) in names(failing).items():
        sql("DELETE FROM bascule.sign_in_attempts")
        visitor = Visitor(stranger.url)
        looks.clear()
        if where == "/sign-in":
            answer = visitor.ask("POST", where, form={"name": name, "password": password})
        else:
            answer = visitor.post(where, {"username": name, "password": password})
        assert answer.status == 401, why
        assert len(looks) == 1, why
        assert extract_parameters(looks[0]) == extract_parameters(passwords._nobodys()), why
        assert password not in answer.body.decode(), why
        bodies.add(re.sub(re.escape(name), "<name>", answer.body.decode()))
    assert len(bodies) == 1


def test_what_nobody_has_is_as_strong_as_what_somebody_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    strong = PasswordHasher()
    monkeypatch.setattr(passwords, "_hasher", strong)
    passwords._nobodys.cache_clear()
    try:
        assert extract_parameters(passwords._nobodys()) == extract_parameters(strong.hash("x"))
        assert extract_parameters(passwords._nobodys()).memory_cost >= 19 * 1024
    finally:
        passwords._nobodys.cache_clear()


def test_who_has_to_wait_is_not_looked_at_whoever_it_is(
    failing: dict[str, Somebody],
    looks: list[str],
    stranger: Visitor,
    sql: Sql,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Known or not: who may not even wait is not compared, and told in the same words."""
    monkeypatch.setattr(throttle, "WAITING", 0)
    sql("DELETE FROM bascule.sign_in_attempts")
    told = set()
    address = next_address()
    for name in (failing["wrong password"].username, "nobody-of-this-name"):
        for _ in range(5):
            body = {"username": name, "password": "not the password"}
            Visitor(stranger.url, address=address).post("/api/auth/login", body)
        looks.clear()
        for where, form in (("/api/auth/login", None), ("/sign-in", {"name": name})):
            visitor = Visitor(stranger.url, address=address)
            if form is None:
                answer = visitor.post(where, {"username": name, "password": "x"})
                told.add(re.sub(r"\d+", "N", answer.body.decode()))
            else:
                answer = visitor.ask("POST", where, form={**form, "password": "x"})
            assert answer.status == 429
        assert looks == []
    assert len(told) == 1

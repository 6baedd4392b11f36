"""Signing in by name and password, and the tokens that programs get for it."""

from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import pytest
from argon2 import PasswordHasher

from bascule.accounts import passwords, throttle
from tests.kit.api import Answer
from tests.kit.people import Make, Sql
from tests.kit.visitors import Visitor, next_address

NETWORKS = count(0x5000)
NEW_PASSWORD = "five words that never do"


def opens(stranger: Visitor, token: str) -> bool:
    status = stranger.with_token(token).get("/api/auth/me").status
    assert status in (200, 401)
    return status == 200


def refreshed(stranger: Visitor, token: str) -> Answer:
    return stranger.post("/api/auth/refresh", {"refresh_token": token})


def test_one_signs_in_by_username_or_by_email_in_any_case(
    make_person: Make, stranger: Visitor
) -> None:
    anna = make_person()
    for body in (
        {"username": anna.username},
        {"username": anna.email},
        {"email": anna.email},
        {"email": anna.email.upper()},
        {"username": f"  {anna.username.upper()} "},
    ):
        answer = stranger.post("/api/auth/login", {**body, "password": anna.password})
        assert answer.status == 200, body
        told = answer.json
        assert told["token_type"] == "bearer"
        assert told["expires_in"] == 15 * 60
        assert told["refresh_expires_in"] == 30 * 86_400
        assert told["user"]["username"] == anna.username
        me = stranger.with_token(told["access_token"]).get("/api/auth/me")
        assert me.json == told["user"] | {"last_sign_in_at": me.json["last_sign_in_at"]}


def test_every_failure_is_told_in_the_same_words(
    make_person: Make, stranger: Visitor, admin: Visitor, sql: Sql
) -> None:
    wrong, off, invited = make_person(), make_person(), make_person()
    assert admin.patch(f"/api/users/{off.id}", {"active": False}).status == 200
    assert admin.post(f"/api/users/{invited.id}/reset").status == 200
    answers = [
        stranger.post("/api/auth/login", {"username": name, "password": password})
        for name, password in (
            (wrong.username, "not the password"),
            (wrong.email, "not the password"),
            (off.username, off.password),
            (invited.username, invited.password),
            (invited.username, ""),
            ("nobody-at-all", "not the password"),
            ("", ""),
            ("\0", "\0"),
        )
    ]
    assert {answer.status for answer in answers} == {401}
    assert len({answer.body for answer in answers}) == 1
    assert answers[0].json["next_step"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"password": "x"},
        {"username": "a", "email": "a@example.com", "password": "x"},
        {"username": "a"},
        {"username": "a", "password": "x" * 1001},
        {"username": ["a"], "password": "x"},
        {"username": "a", "password": "x", "role": "admin"},
    ],
)
def test_what_is_no_sign_in_is_refused_and_not_repeated(
    stranger: Visitor, body: dict[str, Any]
) -> None:
    answer = stranger.post("/api/auth/login", body)
    assert answer.status == 422
    assert b"xxxx" not in answer.body


def test_a_refresh_token_is_used_once_and_each_answer_holds_the_next(
    make_person: Make, stranger: Visitor
) -> None:
    first = make_person().login()
    second = refreshed(stranger, first["refresh_token"])
    assert second.status == 200
    third = refreshed(stranger, second.json["refresh_token"])
    assert third.status == 200
    tokens = [first["refresh_token"], second.json["refresh_token"], third.json["refresh_token"]]
    assert len(set(tokens)) == 3
    assert opens(stranger, third.json["access_token"])


def a_while_passes(sql: Sql, user_id: int) -> None:
    sql(
        "UPDATE bascule.refresh_tokens SET used_at = used_at - interval '31 seconds'"
        " WHERE user_id = %s",
        [user_id],
    )


def test_who_repeats_a_refresh_at_once_gets_the_same_pair_again(
    make_person: Make, stranger: Visitor
) -> None:
    first = make_person().login()
    second = refreshed(stranger, first["refresh_token"]).json
    again = refreshed(stranger, first["refresh_token"])
    assert again.status == 200
    for name in ("access_token", "refresh_token"):
        assert again.json[name] == second[name]
    third = refreshed(stranger, again.json["refresh_token"]).json
    assert opens(stranger, third["access_token"])
    assert (
        refreshed(stranger, second["refresh_token"]).json["refresh_token"]
        == (third["refresh_token"])
    )


def test_who_signed_out_gets_nothing_again(make_person: Make, stranger: Visitor) -> None:
    first = make_person().login()
    second = refreshed(stranger, first["refresh_token"]).json
    assert stranger.with_token(second["access_token"]).post("/api/auth/logout").status == 200
    for token in (first["refresh_token"], second["refresh_token"]):
        assert refreshed(stranger, token).status == 401


def test_a_refresh_token_that_comes_again_later_ends_what_came_from_the_same_sign_in(
    make_person: Make, stranger: Visitor, sql: Sql
) -> None:
    anna = make_person()
    first, elsewhere = anna.login(), anna.login()
    second = refreshed(stranger, first["refresh_token"]).json
    a_while_passes(sql, anna.id)
    assert refreshed(stranger, first["refresh_token"]).status == 401
    assert not opens(stranger, first["access_token"])
    assert not opens(stranger, second["access_token"])
    assert refreshed(stranger, second["refresh_token"]).status == 401
    assert opens(stranger, elsewhere["access_token"])
    assert refreshed(stranger, elsewhere["refresh_token"]).status == 200


def test_ten_who_use_a_refresh_token_at_once_share_one_pair_and_later_end_it(
    make_person: Make, stranger: Visitor, sql: Sql
) -> None:
    anna = make_person()
    token = anna.login()["refresh_token"]
    with ThreadPoolExecutor(10) as at_once:
        answers = list(at_once.map(lambda _: refreshed(stranger, token), range(10)))
    assert {answer.status for answer in answers} == {200}
    assert len({(a.json["access_token"], a.json["refresh_token"]) for a in answers}) == 1
    a_while_passes(sql, anna.id)
    with ThreadPoolExecutor(10) as at_once:
        late = list(at_once.map(lambda _: refreshed(stranger, token), range(10)))
    assert {answer.status for answer in late} == {401}
    assert not opens(stranger, answers[0].json["access_token"])


def test_an_access_token_is_no_refresh_token_nor_the_other_way(
    make_person: Make, stranger: Visitor
) -> None:
    told = make_person().login()
    assert refreshed(stranger, told["access_token"]).status == 401
    assert not opens(stranger, told["refresh_token"])
    assert opens(stranger, told["access_token"])


def test_a_refresh_token_expires(make_person: Make, stranger: Visitor, sql: Sql) -> None:
    anna = make_person()
    told = anna.login()
    sql(
        "UPDATE bascule.refresh_tokens SET expires_at = now() - interval '1 second'"
        " WHERE user_id = %s",
        [anna.id],
    )
    assert refreshed(stranger, told["refresh_token"]).status == 401


def test_signing_out_ends_this_sign_in_alone(make_person: Make, stranger: Visitor) -> None:
    anna = make_person()
    here, elsewhere = anna.login(), anna.login()
    assert stranger.with_token(here["access_token"]).post("/api/auth/logout").status == 200
    assert not opens(stranger, here["access_token"])
    assert refreshed(stranger, here["refresh_token"]).status == 401
    assert opens(stranger, elsewhere["access_token"])


def change_of_password(person: Any, admin: Visitor, visitor: Visitor) -> None:
    body = {"old_password": person.password, "new_password": NEW_PASSWORD}
    assert visitor.post("/api/auth/password", body).status == 200
    assert person.try_login().status == 401
    assert person.try_login(NEW_PASSWORD).status == 200


def deactivation(person: Any, admin: Visitor, visitor: Visitor) -> None:
    assert admin.patch(f"/api/users/{person.id}", {"active": False}).status == 200
    assert person.try_login().status == 401


def reset(person: Any, admin: Visitor, visitor: Visitor) -> None:
    assert admin.post(f"/api/users/{person.id}/reset").status == 200
    assert person.try_login().status == 401


@pytest.mark.parametrize("ends", [change_of_password, deactivation, reset])
def test_every_way_in_is_closed_at_once_by(
    ends: Any, make_person: Make, stranger: Visitor, admin: Visitor, browse: Any
) -> None:
    anna, bystander = make_person("editor"), make_person("editor")
    told, other, browser, others = anna.login(), anna.login(), browse(anna), bystander.login()
    assert browser.get("/api/auth/me").status == 200
    ends(anna, admin, stranger.with_token(told["access_token"]))
    for tokens in (told, other):
        assert not opens(stranger, tokens["access_token"])
        assert refreshed(stranger, tokens["refresh_token"]).status == 401
    assert browser.get("/api/auth/me").status == 401
    assert opens(stranger, others["access_token"])


def test_who_is_active_again_signs_in_anew(
    make_person: Make, stranger: Visitor, admin: Visitor
) -> None:
    anna = make_person()
    before = anna.login()
    for active in (False, True):
        assert admin.patch(f"/api/users/{anna.id}", {"active": active}).status == 200
    assert not opens(stranger, before["access_token"])
    assert refreshed(stranger, before["refresh_token"]).status == 401
    assert opens(stranger, anna.login()["access_token"])


def test_a_browser_that_changes_the_password_stays_and_all_others_go(
    make_person: Make, browse: Any
) -> None:
    anna = make_person()
    here, elsewhere = browse(anna), browse(anna)
    body = {"old_password": anna.password, "new_password": NEW_PASSWORD}
    assert here.post("/api/auth/password", body).status == 200
    assert here.get("/api/auth/me").status == 200
    assert elsewhere.get("/api/auth/me").status == 401


@pytest.mark.parametrize(
    ("new", "why"),
    [
        ("short", "10 characters"),
        ("x" * 201, "200"),
        ("aaaaaaaaaaaaaaaa", "different"),
        ("abababababababab", "different"),
    ],
)
def test_a_password_that_is_easily_guessed_is_refused(
    make_person: Make, stranger: Visitor, new: str, why: str
) -> None:
    anna = make_person()
    visitor = stranger.with_token(anna.login()["access_token"])
    body = {"old_password": anna.password, "new_password": new}
    answer = visitor.post("/api/auth/password", body)
    assert answer.status == 422
    assert why in answer.json["detail"]
    assert new not in answer.body.decode()
    assert anna.try_login().status == 200


def test_ones_own_name_is_no_password(make_person: Make, stranger: Visitor) -> None:
    anna = make_person()
    visitor = stranger.with_token(anna.login()["access_token"])
    for new in (anna.username, anna.username[::-1], anna.email, anna.email.upper()):
        body = {"old_password": anna.password, "new_password": new}
        assert visitor.post("/api/auth/password", body).status == 422, new


def test_the_old_password_is_asked_for_and_cannot_be_guessed_there(
    make_person: Make, stranger: Visitor
) -> None:
    anna = make_person()
    visitor = stranger.with_token(anna.login()["access_token"])
    body = {"old_password": "not it at all", "new_password": NEW_PASSWORD}

    def guess(_: int) -> int:
        return visitor.post("/api/auth/password", body).status

    assert [guess(number) for number in range(5)] == [422] * 5
    with ThreadPoolExecutor(12) as at_once:
        statuses = sorted(at_once.map(guess, range(12)))
    assert statuses == [422] * 3 + [429] * 9  # three waited and were looked at
    assert opens(stranger, visitor.token or "")


def counted_at(sql: Sql, kind: str) -> list[int]:
    found = sql(
        "SELECT attempts FROM bascule.sign_in_attempts WHERE key LIKE %s ORDER BY last_at DESC",
        [f"{kind}:%"],
    )
    return [attempts for (attempts,) in found]


def test_attempts_wait_each_twice_as_long_up_to_half_a_minute() -> None:
    pair, name = throttle.PACES["pair"], throttle.PACES["name"]
    assert [pair.wait_at(number) for number in range(1, 13)] == [0] * 5 + [1, 2, 4, 8, 16, 30, 30]
    assert [name.wait_at(number) for number in range(29, 37)] == [0, 0, 1, 2, 4, 8, 8, 8]
    assert pair.wait_at(1_000_000) == 30


def test_the_right_password_after_wrong_ones_opens_it_and_counts_as_none(
    make_person: Make, sql: Sql
) -> None:
    anna, address = make_person(), next_address()
    wrong = [anna.try_login("wrong", address=address).status for _ in range(5)]
    assert wrong == [401] * 5
    assert counted_at(sql, "pair")[0] == counted_at(sql, "name")[0] == 5
    assert anna.try_login(address=address).status == 200  # a second later, and not refused
    assert counted_at(sql, "name")[0] == 5
    assert [anna.try_login("wrong", address=address).status for _ in range(5)] == [401] * 5
    assert counted_at(sql, "pair")[0] == 5  # it started anew


def test_who_has_a_network_of_ipv6_addresses_has_one_address(make_person: Make, sql: Sql) -> None:
    anna, network = make_person(), f"2001:db8:{next(NETWORKS):x}:7"
    for number in range(4):
        address = f"{network}:{number:x}::{number:x}"
        assert anna.try_login("x", name=f"nobody-{number}", address=address).status == 401
    assert sql(
        "SELECT attempts FROM bascule.sign_in_attempts WHERE key LIKE %s",
        [f"address:{network}%"],
    ) == [(4,)]


def test_an_address_that_nobody_trusts_cannot_be_made_up(stranger: Visitor, sql: Sql) -> None:
    """What a client claims stands before what the trusted proxy saw, and is not believed."""
    for number in range(4):
        stranger.post(
            "/api/auth/login",
            {"username": f"liar-{number}", "password": "wrong"},
            headers={"X-Forwarded-For": f"203.0.113.{number}, {stranger.address}"},
        )
    assert sql(
        "SELECT attempts FROM bascule.sign_in_attempts WHERE key = %s",
        [f"address:{stranger.address}"],
    ) == [(4,)]


def test_attempts_at_the_same_moment_gain_nothing(make_person: Make) -> None:
    anna, address = make_person(), next_address()
    with ThreadPoolExecutor(20) as at_once:
        tried = at_once.map(lambda _: anna.try_login("wrong", address=address).status, range(20))
        statuses = sorted(tried)
    assert statuses == [401] * 8 + [429] * 12  # five at once, and three that waited


def test_a_hash_with_old_parameters_is_made_anew_at_sign_in(
    make_person: Make, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher())
    anna = make_person()
    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(anna.password)
    sql("UPDATE bascule.users SET password_hash = %s WHERE id = %s", [weak, anna.id])
    anna.login()
    ((strong,),) = sql("SELECT password_hash FROM bascule.users WHERE id = %s", [anna.id])
    assert strong != weak
    assert strong.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    anna.login()

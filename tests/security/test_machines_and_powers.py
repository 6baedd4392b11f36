"""A machine's token, or a browser left alone, tries to make somebody powerful."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.kit.api import Answer
from tests.kit.connecting import connect
from tests.kit.visitors import Somebody, Visitor

Ask = Callable[[Visitor, Somebody], Answer]

# What leads to a person's powers, as the API and as the pages have it.
POWERS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "invite": ("POST", "/api/users", {"username": "mole", "role": "admin"}),
    "invite again": ("POST", "/api/users/{new}/invite", {}),
    "reset": ("POST", "/api/users/{other}/reset", {}),
    "give a role": ("PATCH", "/api/users/{other}", {"role": "admin"}),
    "give an address": ("PATCH", "/api/users/{other}", {"email": "mole@example.com"}),
    "activate": ("PATCH", "/api/users/{other}", {"active": True}),
    "make a token": ("POST", "/api/auth/tokens", {"name": "another", "scope": "admin"}),
}
ON_PAGES: dict[str, tuple[str, dict[str, str]]] = {
    "invite": ("/people/invite", {"username": "mole", "role": "admin"}),
    "invite again": ("/people/{new}/invite", {}),
    "reset": ("/people/{other}/reset", {}),
    "give a role": ("/people/{other}", {"role": "admin", "email": ""}),
    "activate": ("/people/{other}/active", {"active": "yes"}),
    "make a token": ("/settings/tokens", {"name": "another", "scope": "read", "days": "30"}),
}


@pytest.fixture
def people(make_person: Callable[..., Somebody], admin: Visitor) -> dict[str, int]:
    fresh = {"username": f"new-{uuid4().hex[:8]}"}
    new = admin.post("/api/users", fresh)
    assert new.status == 201, new
    return {"other": make_person("viewer").id, "new": new.json["user"]["id"]}


def an_hour_passes(sql: Any, of: int) -> None:
    """Since this user gave their password."""
    for table in ("sessions", "refresh_families"):
        sql(
            f"UPDATE bascule.{table} SET confirmed_at = confirmed_at - interval '1 hour'"
            " WHERE user_id = %s",
            [of],
        )


@pytest.mark.parametrize("power", POWERS)
def test_no_machines_token_leads_to_a_persons_powers(
    power: str,
    make_person: Callable[..., Somebody],
    make_token: Callable[..., str],
    stranger: Visitor,
    people: dict[str, int],
) -> None:
    method, path, body = POWERS[power]
    for scope in ("read", "write", "admin"):
        machine = stranger.with_token(make_token(make_person("admin"), scope=scope))
        answer = machine.ask(method, path.format(**people), body)
        assert answer.status == 403, (scope, answer)
        assert answer.json["next_step"]


@pytest.mark.parametrize("power", POWERS)
def test_a_sign_in_of_an_hour_ago_wants_the_password_again(
    power: str,
    make_person: Callable[..., Somebody],
    people: dict[str, int],
    stranger: Visitor,
    sql: Any,
) -> None:
    boss = make_person("admin")
    visitor = boss.visit()
    method, path, body = POWERS[power]
    body = {k: f"{v}-{uuid4().hex[:8]}" if v == "mole" else v for k, v in body.items()}
    an_hour_passes(sql, boss.id)
    refused = visitor.ask(method, path.format(**people), body)
    assert refused.status == 403, refused
    assert "/api/auth/confirm" in refused.json["next_step"]
    assert visitor.post("/api/auth/confirm", {"password": "not it"}).status == 403
    assert visitor.ask(method, path.format(**people), body).status == 403
    assert visitor.post("/api/auth/confirm", {"password": boss.password}).status == 200
    assert visitor.ask(method, path.format(**people), body).status in (200, 201)


@pytest.mark.parametrize("power", ON_PAGES)
def test_a_browser_left_alone_is_asked_for_the_password_and_keeps_what_was_typed(
    power: str,
    make_person: Callable[..., Somebody],
    browse: Callable[..., Visitor],
    people: dict[str, int],
    sql: Any,
) -> None:
    boss = make_person("admin")
    browser = browse(boss)
    path, fields = ON_PAGES[power]
    path = path.format(**people)
    fields = {k: f"{v}-{uuid4().hex[:8]}" if v == "mole" else v for k, v in fields.items()}
    an_hour_passes(sql, boss.id)
    asked = browser.ask("POST", path, form=fields)
    assert asked.status == 403
    page = asked.body.decode()
    assert f'action="{path}"' in page and 'name="confirm_password"' in page
    for name, value in fields.items():
        assert f'<input type="hidden" name="{name}" value="{value}">' in page
    wrong = browser.ask("POST", path, form={**fields, "confirm_password": "not it"})
    assert wrong.status == 403 and "is not yours" in wrong.body.decode()
    right = browser.ask("POST", path, form={**fields, "confirm_password": boss.password})
    assert right.status in (200, 201, 303), right
    # And for the next ten minutes it is not asked for.
    assert browser.ask("POST", path, form=fields).status != 403


def test_deactivating_somebody_is_a_machines_to_do(
    make_person: Callable[..., Somebody],
    make_token: Callable[..., str],
    stranger: Visitor,
) -> None:
    leaver = make_person("editor")
    at = f"/api/users/{leaver.id}"
    writing = stranger.with_token(make_token(make_person("admin"), scope="write"))
    assert writing.patch(at, {"active": False}).status == 403
    machine = stranger.with_token(make_token(make_person("admin"), scope="admin"))
    assert machine.patch(at, {"active": False, "role": "admin"}).status == 403
    assert machine.patch(at, {"active": False}).status == 200


def test_a_token_for_writing_does_not_do_what_only_admins_may(
    make_person: Callable[..., Somebody],
    make_token: Callable[..., str],
    stranger: Visitor,
) -> None:
    boss = make_person("admin")
    writing = stranger.with_token(make_token(boss, scope="write"))
    ruling = stranger.with_token(make_token(boss, scope="admin"))
    assert writing.get("/api/users").status == 200  # it reads all that its owner reads
    made = connect(writing, api_url="https://erp.invalid")
    assert made["shared"] is False, made
    shared = connect(ruling, api_url="https://erp.invalid", name="For all")
    assert shared["shared"] is True, shared
    at = f"/api/connectors/{shared['slug']}"
    refused = writing.patch(at, {"api_url": "http://127.0.0.1:2", "api_secret": "s"})
    assert refused.status == 403, refused
    people = writing.delete("/api/users/1/tokens/1")
    assert people.status == 403 and "scope admin" in people.json["next_step"], people
    assert ruling.delete(at).status == 200


def test_a_token_is_no_wider_than_its_owner_and_ends_within_a_year(
    make_person: Callable[..., Somebody],
) -> None:
    for role, may in (("viewer", 1), ("editor", 2), ("admin", 3)):
        visitor = make_person(role).visit()
        for number, scope in enumerate(("read", "write", "admin")):
            made = visitor.post("/api/auth/tokens", {"name": "x", "scope": scope})
            assert made.status == (201 if number < may else 422), (role, scope, made)
            if made.status == 422:
                assert "scope" in made.json["fields"]
                continue
            ends = datetime.fromisoformat(made.json["expires_at"]) - datetime.now(UTC)
            assert timedelta(days=89) < ends < timedelta(days=91)
        late = (datetime.now(UTC) + timedelta(days=400)).isoformat()
        refused = visitor.post("/api/auth/tokens", {"name": "x", "expires_at": late})
        assert refused.status == 422 and "expires_at" in refused.json["fields"]


def test_a_reset_ends_tokens_sessions_and_programs(
    make_person: Callable[..., Somebody],
    make_token: Callable[..., str],
    browse: Callable[..., Visitor],
    stranger: Visitor,
    admin: Visitor,
) -> None:
    anna = make_person("editor")
    ways = [stranger.with_token(make_token(anna)), browse(anna), anna.visit()]
    assert [way.get("/api/auth/me").status for way in ways] == [200, 200, 200]
    assert admin.post(f"/api/users/{anna.id}/reset").status == 200
    assert [way.get("/api/auth/me").status for way in ways] == [401, 401, 401]


def test_programs_end_ninety_days_after_they_signed_in(
    make_person: Callable[..., Somebody],
    stranger: Visitor,
    sql: Any,
) -> None:
    anna = make_person()
    token = anna.login()["refresh_token"]
    sql(
        "UPDATE bascule.refresh_families SET began_at = began_at - interval '89 days'"
        " WHERE user_id = %s",
        [anna.id],
    )
    renewed = stranger.post("/api/auth/refresh", {"refresh_token": token})
    assert renewed.status == 200
    assert 0 < renewed.json["refresh_expires_in"] <= 86_400
    sql(
        "UPDATE bascule.refresh_tokens SET expires_at = now() - interval '1 second'"
        " WHERE user_id = %s AND used_at IS NULL",
        [anna.id],
    )
    again = stranger.post("/api/auth/refresh", {"refresh_token": renewed.json["refresh_token"]})
    assert again.status == 401


def test_one_browser_or_program_is_ended_and_the_others_stay(
    make_person: Callable[..., Somebody],
    browse: Callable[..., Visitor],
    sql: Any,
) -> None:
    anna, other = make_person(), make_person()
    here, lost, program, bystander = browse(anna), browse(anna), anna.visit(), browse(other)
    listed = here.get("/api/auth/sessions").json["sessions"]
    assert sorted(each["kind"] for each in listed) == ["browser", "browser", "program"]
    (lost_id,) = (each["id"] for each in listed if each["kind"] == "browser" and not each["this"])
    (program_id,) = (each["id"] for each in listed if each["kind"] == "program")
    for number in (lost_id, program_id):
        assert bystander.delete(f"/api/auth/sessions/{number}").status == 404
    page = here.get("/settings").body.decode()
    assert f'action="/settings/sessions/{lost_id}/end"' in page
    assert here.ask("POST", f"/settings/sessions/{lost_id}/end", form={}).status == 303
    assert here.delete(f"/api/auth/sessions/{program_id}").status == 200
    assert here.delete(f"/api/auth/sessions/{program_id}").status == 404
    assert lost.get("/api/auth/me").status == program.get("/api/auth/me").status == 401
    assert here.get("/api/auth/me").status == bystander.get("/api/auth/me").status == 200

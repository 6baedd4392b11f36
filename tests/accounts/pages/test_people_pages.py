"""The pages on which admins look after people."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from bascule.accounts.permissions import BUILT_IN_ROLES
from tests.kit.desk import Desk, Page
from tests.kit.visitors import Visitor

Sit = Callable[..., Desk]


def test_somebody_is_invited_by_a_link_that_is_shown_once_and_comes_in(
    sit: Sit, stranger: Visitor
) -> None:
    boss, name = sit("admin"), f"nina-{uuid4().hex[:6]}"
    offered = re.findall(r'name="role" value="(\w+)"', boss.open("/people/invite").html)
    assert offered == list(BUILT_IN_ROLES)
    made = boss.send("/people/invite", username=name.upper(), email="", role="viewer")
    assert made.status == 201
    assert made.answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in made.answer.headers
    assert "sends no mail" in made.text
    link = made.shown_once
    assert link not in boss.open("/people").html
    assert "Invited, waiting" in row_of(boss.open("/people"), name)

    path = urlsplit(link).path
    assert stranger.get(path).status == 200
    form = {"password": "six words nobody would guess", "again": "six words nobody would guess"}
    chosen = stranger.ask("POST", path, form=form)
    assert chosen.status == 303
    cookie = re.search(r"bascule_session=([^;]+)", chosen.headers["set-cookie"])
    assert cookie
    nina = Visitor(stranger.url, cookie=cookie[1])
    assert nina.get("/settings").status == 200
    assert nina.get("/people").status == 403
    assert nina.get("/audit").status == 403
    assert Visitor(stranger.url).get(path).status == 404
    assert "Active" in row_of(boss.open("/people"), name)


def row_of(page: Page, name: str) -> str:
    rows = re.findall(r"<tr id=\"person-.*?</tr>", page.html, re.DOTALL)
    return next(row for row in rows if f">{name}<" in row)


def test_an_invitation_that_cannot_be_made_keeps_what_was_typed(sit: Sit) -> None:
    boss = sit("admin")
    page = boss.send("/people/invite", username="<b>no</b>", email="nowhere", role="king")
    assert page.status == 422
    assert page.value_of("username") == "<b>no</b>"
    assert "<b>no</b>" not in page.html
    for field in ("username", "email", "role"):
        assert f'id="error-{field}"' in page.html
    taken = boss.send("/people/invite", username=boss.somebody.username, role="viewer")
    assert taken.status == 409
    assert "somebody else's already" in taken.text


def test_a_role_is_given_and_a_deactivation_ends_every_session(sit: Sit) -> None:
    boss, anna = sit("admin"), sit("viewer")
    at = f"/people/{anna.somebody.id}"
    saved = boss.send(at, role="editor", email=anna.somebody.email)
    assert (saved.status, saved.to) == (303, at)
    assert anna.visitor.get("/api/auth/me").json["role"] == "editor"
    wrong = boss.send(at, role="editor", email="nowhere")
    assert wrong.status == 422
    assert wrong.value_of("email") == "nowhere"

    assert boss.send(f"{at}/active", active="no").status == 303
    assert not anna.signed_in
    assert "Deactivated" in boss.open(at).text
    assert boss.send(f"{at}/reset").status == 409
    assert boss.send(f"{at}/active", active="yes").status == 303
    assert anna.somebody.try_login().status == 200


def test_the_last_admin_stays_one(sit: Sit, sql: Callable[..., object]) -> None:
    boss = sit("admin")
    me = boss.somebody.id
    sql("UPDATE bascule.users SET role = 'viewer' WHERE id <> %s", [me])
    for path, fields in (
        (f"/people/{me}", {"role": "viewer", "email": ""}),
        (f"/people/{me}/active", {"active": "no"}),
    ):
        page = boss.send(path, **fields)
        assert page.status == 409
        assert "is the only admin" in page.text
    assert boss.open("/people").status == 200


def test_a_reset_and_a_new_invitation_show_their_links_once(sit: Sit) -> None:
    boss, anna = sit("admin"), sit("viewer")
    at = f"/people/{anna.somebody.id}"
    assert boss.send(f"{at}/invite").status == 409
    first = boss.send(f"{at}/reset")
    assert first.status == 200
    assert not anna.signed_in
    assert anna.somebody.try_login().status == 401
    second = boss.send(f"{at}/invite")
    assert first.shown_once != second.shown_once
    assert anna.visitor.get(urlsplit(first.shown_once).path).status == 404
    assert anna.visitor.get(urlsplit(second.shown_once).path).status == 200
    # Who comes back to a form's address, by signing in again or by reloading, finds the page.
    assert boss.open(f"{at}/reset").to == at


def test_an_admin_revokes_somebodys_token(sit: Sit) -> None:
    boss, anna = sit("admin"), sit("editor")
    token = anna.send("/settings/tokens", name="<i>robot</i>", scope="read", days="30").shown_once
    robot = anna.visitor.with_token(token)
    assert robot.get("/api/auth/me").status == 200
    listed = {each["id"]: each for each in boss.visitor.get("/api/users").json["users"]}
    assert listed[anna.somebody.id]["api_tokens"] == 1
    page = boss.open(f"/people/{anna.somebody.id}")
    assert "<i>robot</i>" in page.text.replace("< i >", "<i>")
    assert "<i>robot" not in page.html
    revoke = re.search(r'action="(/people/\d+/tokens/\d+/revoke)"', page.html)
    assert revoke
    assert boss.send(revoke[1]).status == 303
    assert robot.get("/api/auth/me").status == 401


def test_what_somebody_left_is_handed_over_or_deleted(sit: Sit, sql: Callable[..., Any]) -> None:
    boss, anna, heir = sit("admin"), sit("editor"), sit("editor")
    name = f"cave_{uuid4().hex[:6]}"
    sql(
        "INSERT INTO bascule.connections (id, name, slug, api_url, api_key_encrypted,"
        " api_secret_encrypted, shared, owner_id) VALUES (gen_random_uuid(), %s, %s,"
        " 'https://erp.example', '', '', false, %s) RETURNING id",
        [name, name, anna.somebody.id],
    )
    at = f"/people/{anna.somebody.id}"
    assert boss.open(f"{at}/left").to == at  # theirs alone, as long as they are here
    assert name not in boss.open("/connectors").text
    boss.send(f"{at}/active", active="no")
    assert f'href="{at}/left"' in boss.open(at).html
    page = boss.open(f"{at}/left")
    assert page.status == 200 and name in page.text and heir.somebody.username in page.text
    assert heir.open(f"{at}/left").status == 403
    assert heir.send(f"{at}/left/delete").status == 403
    refused = boss.send(f"{at}/left/hand-over", to="nobody-here")
    assert refused.status == 422 and name in refused.text

    assert boss.send(f"{at}/left/hand-over", to=heir.somebody.username).to == f"{at}/left"
    assert "Nothing is left" in boss.open(f"{at}/left").text
    assert name in heir.open("/connectors").text

    at = f"/people/{heir.somebody.id}"
    boss.send(f"{at}/active", active="no")
    assert boss.send(f"{at}/left/delete").to == f"{at}/left"
    assert sql("SELECT count(*) FROM bascule.connections WHERE name = %s", [name]) == [(0,)]


@pytest.mark.parametrize("role", ["viewer", "editor"])
def test_only_admins_look_after_people(sit: Sit, role: str) -> None:
    anna = sit(role)
    me = anna.somebody.id
    for path in ("/people", "/people/invite", f"/people/{me}"):
        assert anna.open(path).status == 403
    for path in ("/people/invite", f"/people/{me}", f"/people/{me}/reset"):
        assert anna.send(path, username="x", role="admin").status == 403
    assert 'href="/people"' not in anna.open("/settings").html


def test_a_form_that_another_page_made_is_refused(sit: Sit) -> None:
    boss = sit("admin")
    me = boss.somebody.id
    for path in (
        "/people/invite",
        f"/people/{me}",
        f"/people/{me}/reset",
        "/settings/password",
        "/settings/tokens",
        "/settings/erpnext",
        "/settings/erpnext/clear",
        "/settings/sign-out-elsewhere",
    ):
        for csrf in ("", "of another session"):
            assert boss.send(path, csrf, username="x", role="admin", name="x").status == 403, path
    assert boss.signed_in


def test_an_address_that_is_nowhere_keeps_the_navigation_for_who_is_signed_in(sit: Sit) -> None:
    anna = sit("viewer")
    for path in ("/nothing/here", "/connectors/no/such/page"):
        page = anna.open(path)
        assert page.status == 404
        assert 'href="/data"' in page.html
        assert anna.somebody.username in page.text
        assert "There is nothing here" in page.text

"""The page on which everybody looks after their own account."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.kit.desk import Desk
from tests.kit.hub import RunningHub

Sit = Callable[..., Desk]
NEW = "six words that nobody knows"


def test_a_token_is_shown_once_and_opens_what_its_scope_says_until_it_is_revoked(sit: Sit) -> None:
    anna = sit("editor")
    made = anna.send("/settings/tokens", name="Nightly export", scope="read", days="30")
    assert made.status == 201
    assert made.answer.headers["cache-control"] == "no-store"
    token = made.shown_once
    robot = anna.visitor.with_token(token)
    assert robot.get("/api/auth/me").status == 200
    assert robot.put("/api/auth/settings", {}).status == 403
    page = anna.open("/settings")
    assert token not in page.html
    assert "Nightly export" in page.text
    assert "in 1 month" in page.text
    revoke = re.search(r'action="(/settings/tokens/\d+/revoke)"', page.html)
    assert revoke
    assert sit("editor").send(revoke[1]).status == 404  # not theirs
    assert anna.send(revoke[1]).status == 303
    assert robot.get("/api/auth/me").status == 401


def test_a_token_that_is_about_to_end_is_told_at_home_until_another_is_made(
    sit: Sit, sql: Any
) -> None:
    anna = sit("viewer")
    for name in ("Nightly export", "Old <i>robot</i>", "Long gone"):
        anna.send("/settings/tokens", name=name, scope="read", days="30")
    assert "Needs attention" not in anna.open("/").text
    for name, days in (("Nightly export", 3), ("Old <i>robot</i>", -2), ("Long gone", -9)):
        sql(
            "UPDATE bascule.api_tokens SET expires_at = now() + make_interval(days => %s)"
            " WHERE user_id = %s AND name = %s",
            [days, anna.somebody.id, name],
        )
    home = anna.open("/")
    assert re.search(
        r"API token “Nightly export” It ends on [0-9-]{10} at [0-9:]{5} UTC", home.text
    )
    assert "API token “Old <i>robot</i>” It ended on " in home.text
    assert "<i>robot" not in home.html
    assert "Long gone" not in home.text
    assert "Nightly export" not in sit("admin").open("/").text  # it is nobody else's to mend
    anna.send("/settings/tokens", name="Nightly export", scope="read", days="90")
    assert "Nightly export" not in anna.open("/").text


def test_a_token_that_cannot_be_made_says_why_and_an_api_token_makes_no_other(sit: Sit) -> None:
    anna = sit("viewer")
    wrong = anna.send("/settings/tokens", name=" ", scope="all", days="1000000")
    assert wrong.status == 422
    for field in ("name", "scope", "days"):
        assert f'id="error-{field}"' in wrong.html
    token = anna.send("/settings/tokens", name="robot", scope="read", days="7").shown_once
    robot = anna.visitor.with_token(token)
    form = {"name": "another", "scope": "read"}
    assert robot.ask("POST", "/settings/tokens", form=form).status == 403


def test_the_password_is_changed_and_ends_every_other_session(sit: Sit) -> None:
    anna = sit("viewer")
    elsewhere = sit(anna.somebody)
    old = anna.somebody.password
    for fields, name in (
        ({"old_password": old, "new_password": NEW, "again": "not it"}, "again"),
        ({"old_password": old, "new_password": "short", "again": "short"}, "new_password"),
        ({"old_password": "wrong one", "new_password": NEW, "again": NEW}, "old_password"),
    ):
        page = anna.send("/settings/password", **fields)
        assert page.status == 422
        assert f'id="error-{name}"' in page.html
        assert not any(each in page.html for each in fields.values() if each != "short")
    done = anna.send("/settings/password", old_password=old, new_password=NEW, again=NEW)
    assert (done.status, done.to) == (303, "/settings")
    assert anna.signed_in
    assert not elsewhere.signed_in
    assert anna.somebody.try_login(NEW).status == 200


def test_one_sees_where_one_is_signed_in_and_signs_out_everywhere_else(
    sit: Sit, sql: Callable[..., Any]
) -> None:
    anna = sit("viewer")
    elsewhere = sit(anna.somebody)
    program = anna.somebody.visit()
    sql(
        "UPDATE bascule.sessions SET agent = %s WHERE user_id = %s",
        ["<script>alert(1)</script>", anna.somebody.id],
    )
    page = anna.open("/settings")
    assert page.html.count("this one") == 1
    assert "<script>alert" not in page.html
    assert "&lt;script&gt;alert(1)" in page.html
    told = anna.visitor.get("/api/auth/sessions").json["sessions"]
    assert sorted(each["this"] for each in told) == [False, False, True]
    assert sorted(each["kind"] for each in told) == ["browser", "browser", "program"]
    assert anna.send("/settings/sign-out-elsewhere").status == 303
    assert anna.signed_in
    assert not elsewhere.signed_in
    assert program.get("/api/auth/me").status == 401


def test_my_erpnext_is_saved_tested_and_cleared_and_its_secret_never_shown(
    sit: Sit, running_hub: RunningHub, erpnext_sandbox: Any
) -> None:
    anna = sit("editor")
    box = erpnext_sandbox
    running_hub.allow(box.url)
    assert anna.send("/settings/erpnext/test").status == 400
    fields = {
        "erpnext_url": box.url,
        "erpnext_api_key": box.api_key,
        "erpnext_api_secret": box.api_secret,
    }
    assert anna.send("/settings/erpnext", **fields).status == 303
    page = anna.open("/settings")
    assert page.value_of("erpnext_url") == box.url
    assert box.api_secret not in page.html
    assert "Saved; leave it empty to keep it" in page.html
    tested = anna.send("/settings/erpnext/test")
    assert tested.status == 200
    assert "ERPNext knows you as" in tested.text
    # An empty secret stays what it was; for another address it is asked for again.
    assert anna.send("/settings/erpnext", **fields | {"erpnext_api_secret": ""}).status == 303
    assert "ERPNext knows you as" in anna.send("/settings/erpnext/test").text
    moved = fields | {"erpnext_url": "https://elsewhere.example", "erpnext_api_secret": ""}
    assert 'id="error-erpnext_api_secret"' in anna.send("/settings/erpnext", **moved).html
    # Nor does it follow when the address is cleared first.
    assert anna.send("/settings/erpnext", **moved | {"erpnext_url": ""}).status == 303
    assert 'id="error-erpnext_api_secret"' in anna.send("/settings/erpnext", **moved).html
    assert anna.send("/settings/erpnext", **fields).status == 303
    # A key that nobody has there.
    wrong = fields | {"erpnext_api_secret": "somebody-elses"}
    assert anna.send("/settings/erpnext", **wrong).status == 303
    refused = anna.send("/settings/erpnext/test").text
    assert "ERPNext does not know this key with this secret. Generate Keys there again" in refused
    assert "HTTP 401: {" in refused
    assert anna.send("/settings/erpnext/clear").status == 303
    kept = anna.visitor.get("/api/auth/settings").json
    assert (kept["erpnext_url"], kept["erpnext_api_secret_set"]) == (None, False)


def test_what_cannot_be_saved_is_told_by_field_and_kept_but_for_the_secret(sit: Sit) -> None:
    anna = sit("editor")
    page = anna.send(
        "/settings/nextcloud",
        nextcloud_url="ftp://cloud",
        nextcloud_username="<u>anna</u>",
        nextcloud_password="an app password",
    )
    assert page.status == 422
    assert 'id="error-nextcloud_url"' in page.html
    assert page.value_of("nextcloud_username") == "<u>anna</u>"
    assert "<u>anna" not in page.html
    assert "an app password" not in page.html
    assert anna.visitor.get("/api/auth/settings").json["nextcloud_username"] is None


@pytest.mark.parametrize("path", ["/settings/erpnext", "/settings/nextcloud/clear"])
def test_viewers_have_no_erpnext_of_their_own(sit: Sit, path: str) -> None:
    anna = sit("viewer")
    assert "My ERPNext" not in anna.open("/settings").text
    assert anna.send(path).status == 403

"""Everybody's own ERPNext and Nextcloud, exactly as other programs know these routes."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.fernet import Fernet

from tests.accounts.site import SomeSite, some_site
from tests.kit.hub import RunningHub
from tests.kit.people import Make, Sql
from tests.kit.visitors import Somebody, Visitor

PATH, TEST = "/api/auth/settings", "/api/auth/settings/erpnext/test"
FIELDS = ["username", "email", "role"]
FIELDS += ["erpnext_url", "erpnext_api_key", "erpnext_api_secret_set"]
FIELDS += ["nextcloud_url", "nextcloud_username", "nextcloud_password_set"]
ERPNEXT = {
    "erpnext_url": "https://erp.example.com",
    "erpnext_api_key": "abc123def456",
    "erpnext_api_secret": "supersecretvalue",
}
NEXTCLOUD = {
    "nextcloud_url": "https://cloud.example.com",
    "nextcloud_username": "maarten",
    "nextcloud_password": "anothersecretvalue",
}


@pytest.fixture
def maarten(make_person: Make) -> Somebody:
    return make_person("editor")


@pytest.fixture
def mine(maarten: Somebody) -> Visitor:
    return maarten.visit()


@pytest.fixture
def site(running_hub: RunningHub) -> Iterator[tuple[str, SomeSite]]:
    with some_site() as running:
        running_hub.allow(running[0])
        yield running


def test_nothing_is_set_at_first(maarten: Somebody, mine: Visitor) -> None:
    answer = mine.get(PATH)
    assert answer.status == 200
    assert list(answer.json) == FIELDS
    assert answer.json == {
        "username": maarten.username,
        "email": maarten.email,
        "role": "editor",
        "erpnext_url": None,
        "erpnext_api_key": None,
        "erpnext_api_secret_set": False,
        "nextcloud_url": None,
        "nextcloud_username": None,
        "nextcloud_password_set": False,
    }


def test_what_is_put_is_there_and_its_secrets_only_as_being_there(mine: Visitor) -> None:
    put = mine.put(PATH, ERPNEXT | NEXTCLOUD)
    assert put.status == 200
    assert list(put.json) == FIELDS
    assert put.json == mine.get(PATH).json
    assert put.json["erpnext_url"] == "https://erp.example.com"
    assert put.json["erpnext_api_key"] == "abc123def456"
    assert put.json["erpnext_api_secret_set"] is True
    assert put.json["nextcloud_url"] == "https://cloud.example.com"
    assert put.json["nextcloud_username"] == "maarten"
    assert put.json["nextcloud_password_set"] is True
    for secret in ("supersecretvalue", "anothersecretvalue"):
        assert secret not in put.body.decode()


@pytest.mark.parametrize("name", [*ERPNEXT, *NEXTCLOUD])
def test_a_field_that_is_left_out_stays_and_an_empty_one_is_cleared(
    mine: Visitor, name: str
) -> None:
    before = mine.put(PATH, ERPNEXT | NEXTCLOUD).json
    shown = f"{name}_set" if f"{name}_set" in before else name
    assert mine.put(PATH, {}).json == before
    assert mine.put(PATH, {name: None}).json == before
    changed = mine.put(PATH, {name: "https://other.example.com"})
    if name.endswith("_url"):  # the secret beside it is not sent to another address
        assert changed.status == 422
    else:
        shows = True if shown != name else "https://other.example.com"
        assert changed.json == before | {shown: shows}
    cleared = mine.put(PATH, {name: ""}).json
    assert cleared == before | {shown: False if shown != name else None}
    assert mine.get(PATH).json == cleared


def test_secrets_are_fernet_under_the_sha256_of_the_key_and_the_rest_is_plain(
    running_hub: RunningHub, maarten: Somebody, mine: Visitor, sql: Sql
) -> None:
    mine.put(PATH, ERPNEXT | NEXTCLOUD)
    columns = (
        "erpnext_url, erpnext_api_key, nextcloud_url, nextcloud_username,"
        " erpnext_api_secret, nextcloud_password"
    )
    ((*plain, secret, password),) = sql(
        f"SELECT {columns} FROM bascule.users WHERE id = %s", [maarten.id]
    )
    assert plain == [
        "https://erp.example.com",
        "abc123def456",
        "https://cloud.example.com",
        "maarten",
    ]
    import base64
    import hashlib

    key = hashlib.sha256(running_hub.hub.vault.newest.encode()).digest()
    fernet = Fernet(base64.urlsafe_b64encode(key))
    assert fernet.decrypt(secret.encode()) == b"supersecretvalue"
    assert fernet.decrypt(password.encode()) == b"anothersecretvalue"
    types = sql(
        "SELECT column_name, data_type, character_maximum_length, is_nullable"
        " FROM information_schema.columns WHERE table_schema = 'bascule' AND table_name = 'users'"
        " AND column_name LIKE 'erpnext%%' ORDER BY column_name"
    )
    assert types == [
        ("erpnext_api_key", "character varying", 512, "YES"),
        ("erpnext_api_secret", "text", None, "YES"),
        ("erpnext_url", "character varying", 512, "YES"),
    ]


def test_nobody_sees_or_changes_anothers(mine: Visitor, make_person: Make) -> None:
    mine.put(PATH, ERPNEXT)
    other = make_person("admin").visit()
    assert other.get(PATH).json["erpnext_url"] is None
    other.put(PATH, {"erpnext_url": "https://theirs.example.com"})
    assert mine.get(PATH).json["erpnext_url"] == "https://erp.example.com"


def test_a_viewer_sees_and_changes_nothing(make_person: Make) -> None:
    viewer = make_person("viewer").visit()
    assert viewer.get(PATH).status == 200
    assert viewer.put(PATH, ERPNEXT).status == 403
    assert viewer.post(TEST).status == 403


@pytest.mark.parametrize("missing", [[*ERPNEXT], ["erpnext_url"], ["erpnext_api_key"]])
@pytest.mark.parametrize("secret", [True, False])
def test_without_address_key_and_secret_there_is_nothing_to_test(
    mine: Visitor, missing: list[str], secret: bool
) -> None:
    body = {name: text for name, text in ERPNEXT.items() if name not in missing}
    mine.put(PATH, body | ({} if secret else {"erpnext_api_secret": ""}))
    answer = mine.post(TEST)
    assert answer.status == 400
    assert answer.json == {"detail": "ERPNext credentials not configured"}


def connected(mine: Visitor, url: str) -> None:
    assert mine.put(PATH, ERPNEXT | {"erpnext_url": url}).status == 200


def test_a_test_tells_the_user_that_erpnext_knows(
    mine: Visitor, site: tuple[str, SomeSite]
) -> None:
    url, there = site
    connected(mine, url)
    answer = mine.post(TEST)
    assert answer.status == 200
    assert answer.json == {"success": True, "user": "administrator@example.com"}
    ((path, headers),) = there.seen
    assert path == "/api/method/frappe.auth.get_logged_user"
    assert headers["Authorization"] == "token abc123def456:supersecretvalue"


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (
            401,
            {"exc_type": "AuthenticationError"},
            'HTTP 401: {"exc_type":"AuthenticationError"}',
        ),
        (403, {"exc_type": "PermissionError"}, 'HTTP 403: {"exc_type":"PermissionError"}'),
        (500, {"exc": "x" * 5000}, None),
        (200, "<html>Sign in</html>", None),
        (404, "an inner service's page, with what is in it", None),
        (200, {"message": "Guest"}, None),
        (200, {"message": {"not": "a name"}}, None),
        (200, [], None),
    ],
)
def test_a_test_that_fails_is_an_answer_with_the_reason(
    mine: Visitor, site: tuple[str, SomeSite], status: int, body: Any, error: str | None
) -> None:
    url, there = site
    there.says(status, body)
    connected(mine, url)
    answer = mine.post(TEST)
    assert answer.status == 200
    assert list(answer.json) == ["success", "error"]
    assert answer.json["success"] is False
    if error:
        assert answer.json["error"] == error
    assert 10 < len(answer.json["error"]) < 1100
    assert "with what is in it" not in answer.json["error"]


def test_a_site_that_repeats_the_secret_does_not_get_it_shown(
    mine: Visitor, site: tuple[str, SomeSite]
) -> None:
    url, there = site
    there.says(401, {"exc_type": "AuthenticationError", "_error_message": "supersecretvalue"})
    connected(mine, url)
    answer = mine.post(TEST)
    assert "***" in answer.json["error"]
    assert b"supersecretvalue" not in answer.body


def test_a_site_that_is_not_there_is_told(running_hub: RunningHub, mine: Visitor) -> None:
    running_hub.allow("http://127.0.0.1:1")
    connected(mine, "http://127.0.0.1:1")
    answer = mine.post(TEST)
    assert (answer.status, answer.json["success"]) == (200, False)
    assert answer.json["error"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("erpnext_url", "ftp://erp.example.com"),
        ("erpnext_url", "javascript:alert(1)"),
        ("erpnext_url", "https://"),
        ("erpnext_url", "x" * 600),
        ("nextcloud_url", "file:///etc/passwd"),
        ("erpnext_api_key", "k" * 513),
        ("erpnext_api_secret", "a line\r\nX-Injected: yes"),
        ("nextcloud_password", "\0"),
    ],
)
def test_what_cannot_be_taken_is_named_and_nothing_is_changed(
    mine: Visitor, name: str, text: str
) -> None:
    before = mine.put(PATH, ERPNEXT | NEXTCLOUD).json
    answer = mine.put(PATH, {"erpnext_api_key": "another", name: text})
    assert answer.status == 422
    assert list(answer.json["fields"]) == [name]
    reason = answer.json["fields"][name]  # follows the field's name, in one sentence
    assert answer.json["detail"] == f"These settings cannot be saved: {name} {reason}."
    assert reason[0].islower() and not reason.endswith(".")
    assert "X-Injected" not in json.dumps(answer.json)
    assert mine.get(PATH).json == before

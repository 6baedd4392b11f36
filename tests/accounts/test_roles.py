"""What each role may, on every page and every route of the API; and that nobody may anything."""

from pathlib import Path
from typing import Any

import pytest

from bascule.accounts.permissions import BUILT_IN_ROLES
from tests.accounts.conftest import Crew
from tests.accounts.walking import GUARDED, OPEN, WAYS, Way
from tests.kit.api import Answer
from tests.kit.people import Make
from tests.kit.visitors import Visitor

# What a viewer may change is their own.
THEIR_OWN = {
    ("POST", "/sign-out"),
    ("POST", "/settings/password"),
    ("POST", "/settings/sign-out-elsewhere"),
    ("POST", "/settings/sessions/{session}/end"),
    ("POST", "/settings/second-factor"),
    ("POST", "/settings/second-factor/confirm"),
    ("POST", "/settings/second-factor/recovery-codes"),
    ("POST", "/settings/second-factor/off"),
    ("POST", "/api/auth/second-factor"),
    ("POST", "/api/auth/second-factor/confirm"),
    ("POST", "/api/auth/second-factor/recovery-codes"),
    ("DELETE", "/api/auth/second-factor"),
    ("POST", "/settings/passkeys"),
    ("POST", "/settings/passkeys/begin"),
    ("POST", "/settings/passkeys/{passkey}/name"),
    ("POST", "/settings/passkeys/{passkey}/remove"),
    ("POST", "/api/auth/passkeys"),
    ("POST", "/api/auth/passkeys/begin"),
    ("PATCH", "/api/auth/passkeys/{passkey}"),
    ("DELETE", "/api/auth/passkeys/{passkey}"),
    ("POST", "/settings/provider"),
    ("POST", "/settings/provider/off"),
    ("DELETE", "/api/auth/provider"),
    ("POST", "/settings/tokens"),
    ("POST", "/settings/tokens/{token}/revoke"),
    ("POST", "/api/auth/logout"),
    ("POST", "/api/auth/password"),
    ("POST", "/api/auth/confirm"),
    ("DELETE", "/api/auth/sessions/{session}"),
    ("POST", "/api/auth/tokens"),
    ("DELETE", "/api/auth/tokens/{token}"),
}
ADMINS_ALONE = ("/api/users", "/people", "/api/audit", "/audit")
every_guarded_way = pytest.mark.parametrize("way", GUARDED, ids=str)


def test_every_route_but_the_open_ones_says_which_permission_it_needs() -> None:
    assert len(GUARDED) > 60
    assert {(way.method, way.path) for way in WAYS if not way.needs} == OPEN


def test_what_changes_something_needs_an_editor_and_people_need_an_admin() -> None:
    """Said here once more, so that a route which asks for too little is seen."""
    for way in GUARDED:
        if way.path.startswith(ADMINS_ALONE):
            assert "admin" in {each.scope for each in way.needs}, way
        elif way.method != "GET" and (way.method, way.path) not in THEIR_OWN:
            assert {"write", "admin"} & {each.scope for each in way.needs}, way


def test_viewer_editor_and_admin_may_what_they_might_before_there_were_permissions() -> None:
    """The rights of these roles as they were when a route named the least role that it needed."""
    before = {}
    for line in (Path(__file__).parent / "rights_before_permissions.txt").read_text().splitlines():
        least, method, path = line.split()
        before[method, path] = least
    ranks = ["viewer", "editor", "admin"]
    compared = 0
    for way in GUARDED:
        least = before.get((way.method, way.path), "")
        if not least:
            continue  # a later route
        compared += 1
        may = [role for role in ranks if all(role in each.roles for each in way.needs)]
        assert may == ranks[ranks.index(least) :], way
    assert compared > 200


@every_guarded_way
def test_each_role_may_what_the_route_says_and_no_more(way: Way, crew: Crew) -> None:
    for role in BUILT_IN_ROLES:
        visitor = crew.come_in(way, role)
        if not all(role in needed.roles for needed in way.needs):
            answer = way.ask(visitor, **crew.there)
            assert answer.status == 403, (role, answer)
            assert says_why(way, answer), role
        else:
            answer = way.ask(visitor)  # of what is not there, so that nothing is lost
            assert answer.status not in (401, 403), (role, answer)
            assert answer.status < 500, (role, answer)


@every_guarded_way
def test_nobody_and_who_is_no_longer_active_gets_in_nowhere(way: Way, crew: Crew) -> None:
    for visitor in (Visitor(crew.url), crew.come_in(way, "deactivated")):
        refuses(way, way.ask(visitor, **crew.there))


@every_guarded_way
def test_a_token_for_reading_reads_and_changes_nothing(way: Way, crew: Crew) -> None:
    answer = way.ask(Visitor(crew.url, crew.reading), **crew.there)
    if way.method == "GET":
        assert answer.status not in (401, 403)
        assert answer.status < 500
    else:
        assert answer.status == 403
        assert b"may only read" in answer.body


def refuses(way: Way, answer: Answer) -> None:
    if way.is_page:
        assert answer.status == 303
        assert answer.headers["location"].startswith("/sign-in?next=%2F")
    else:
        assert answer.status == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert says_why(way, answer)


def says_why(way: Way, answer: Answer) -> bool:
    if way.is_page:
        return b"<html" in answer.body
    return {"detail", "next_step"} <= answer.json.keys()


def test_a_part_of_a_page_that_nobody_may_see_sends_the_browser_to_sign_in(crew: Crew) -> None:
    """htmx would lay the sign-in form into the page; it is told to leave instead."""
    answer = Visitor(crew.url).get(
        "/", headers={"HX-Request": "true", "HX-Current-URL": f"{crew.url}/people?a=b"}
    )
    assert answer.status == 401
    assert answer.headers["hx-redirect"] == "/sign-in?next=%2Fpeople%3Fa%3Db"


def test_a_form_that_came_too_late_leads_back_to_its_page(crew: Crew) -> None:
    asked = Visitor(crew.url)
    answer = asked.ask(
        "POST", "/settings/password", form={}, headers={"Referer": f"{crew.url}/settings?a=b"}
    )
    assert answer.headers["location"] == "/sign-in?next=%2Fsettings%3Fa%3Db"
    elsewhere = asked.ask(
        "POST", "/settings/password", form={}, headers={"Referer": "https://evil.example//x"}
    )
    assert elsewhere.headers["location"] == "/sign-in?next=%2F"


def test_a_changed_role_holds_at_once(make_person: Make, admin: Visitor) -> None:
    anna = make_person("editor")
    visitor = anna.visit()
    for role, status in (("viewer", 403), ("admin", 200), ("editor", 403)):
        assert admin.patch(f"/api/users/{anna.id}", {"role": role}).status == 200
        assert visitor.get("/api/users").status == status
        assert visitor.get("/api/auth/me").json["role"] == role


def test_what_an_api_token_must_not_do(make_person: Make, make_token: Any, crew: Crew) -> None:
    """It cannot make itself another, nor change the password that would end its owner's ways in."""
    anna = make_person("admin")
    machine = Visitor(crew.url, make_token(anna))
    assert machine.get("/api/auth/me").json["username"] == anna.username
    for path, body in (
        ("/api/auth/tokens", {"name": "another"}),
        ("/api/auth/password", {"old_password": anna.password, "new_password": "not this one"}),
    ):
        answer = machine.post(path, body)
        assert answer.status == 403, path
        assert answer.json["next_step"]
    assert machine.post("/api/auth/logout").status == 409
    anna.login()

"""The page that tells who did what."""

import csv
import io
import re
from collections.abc import Callable
from html import unescape
from typing import Any
from uuid import uuid4

import pytest
from fastapi.routing import iter_route_contexts

from bascule.app import create_app
from bascule.audit import entries
from bascule.audit.labels import WORDS
from tests.kit.desk import Desk, Page
from tests.kit.hub import RunningHub

pytestmark = pytest.mark.room("audit")

Sit = Callable[..., Desk]


def rows(page: Page) -> list[str]:
    found = re.findall(r"<tr id=\"entry-\d+\">.*?</tr>", page.html, re.DOTALL)
    return [" ".join(unescape(re.sub(r"<[^>]*>", " ", row)).split()) for row in found]


def note(hub: RunningHub, **values: Any) -> None:
    async def noted() -> None:
        async with hub.hub.db.session() as session:
            await entries.record(session, **values)

    hub.run(noted())


def test_what_was_done_is_told_in_words_with_who_from_where_and_how_it_ended(sit: Sit) -> None:
    boss, anna = sit("admin"), sit("viewer")
    at = f"/people/{anna.somebody.id}"
    boss.send(at, role="editor", email=anna.somebody.email)
    boss.send(f"{at}/active", active="no")
    boss.send("/people/invite", username="?", role="viewer")
    newest = rows(boss.open("/audit"))[:3]
    for row, words in zip(
        newest,
        (["Invite somebody", "Not taken"], ["Deactivate", "Done"], ["Make them editor", "Done"]),
        strict=True,
    ):
        for word in (*words, boss.somebody.username, "Browser", boss.visitor.address):
            assert word in row
    assert all(anna.somebody.username in row for row in newest[1:])
    assert "Refused" not in newest[0]


def test_the_address_holds_the_filters_and_the_file_follows_them(sit: Sit) -> None:
    boss, anna = sit("admin"), sit("editor")
    for number in range(3):
        anna.send("/settings/tokens", name=f"robot {number}", scope="read", days="30")
    asked = f"/audit?user={anna.somebody.username}&action=make_token&connection=&since=&until="
    page = boss.open(asked)
    assert len(rows(page)) == 3
    assert f"<option selected>{anna.somebody.username}</option>" in page.html
    assert boss.open(asked.replace("make_token", "sign-in")).text.count("fits what you ask") == 1
    assert rows(boss.open(asked.replace("since=", "since=2999-01-01"))) == []
    assert rows(boss.open(asked.replace("until=", "until=2000-01-01"))) == []
    wrong = boss.open(asked.replace("until=", "until=tomorrow"))
    assert wrong.status == 422
    assert 'id="error-until"' in wrong.html

    day = asked.replace("since=", "since=2020-01-01").replace("until=", "until=2999-12-30")
    file = re.search(r'href="(/api/audit\.csv[^"]*)"', boss.open(day).html)
    assert file
    sent = boss.visitor.get(unescape(file[1]))
    assert sent.status == 200
    assert len(list(csv.DictReader(io.StringIO(sent.body.decode())))) == 3

    part = boss.open(asked, headers={"HX-Request": "true"})
    url = part.answer.headers["hx-replace-url"]
    assert url == f"/audit?user={anna.somebody.username}&action=make_token"


def test_older_rows_are_a_page_further(sit: Sit, running_hub: RunningHub) -> None:
    boss, action = sit("admin"), f"tried-{uuid4().hex[:6]}"
    for number in range(52):
        note(running_hub, action=action, object=f"thing {number}")
    first = boss.open(f"/audit?action={action}")
    older = re.search(r'href="(/audit\?[^"]*before=[^"]*)"', first.html)
    assert older
    second = boss.open(unescape(older[1]))
    assert (len(rows(first)), len(rows(second))) == (50, 2)
    assert "thing 0" in rows(second)[-1]
    assert "Newest" in second.text


def test_a_connection_has_its_link_and_a_private_one_of_others_is_not_there(
    sit: Sit, running_hub: RunningHub, sql: Callable[..., Any]
) -> None:
    boss, other = sit("admin"), sit("admin")
    names = {"shared": f"shop_{uuid4().hex[:6]}", "hidden": f"cave_{uuid4().hex[:6]}"}
    for kind, name in names.items():
        ((number,),) = sql(
            "INSERT INTO bascule.connections (id, name, slug, api_url, api_key_encrypted,"
            " api_secret_encrypted, shared, owner_id) VALUES (gen_random_uuid(), %s, %s,"
            " 'https://erp.example', '', '', %s, %s) RETURNING id",
            [name, name, kind == "shared", other.somebody.id],
        )
        note(running_hub, action="change_connector", connection_id=number, object=name)
    mine, theirs = boss.open("/audit").html, other.open("/audit").html
    assert f'href="/connectors/{names["shared"]}"' in mine
    assert names["hidden"] not in mine
    assert f'href="/connectors/{names["hidden"]}"' in theirs
    asked = boss.open(f"/audit?connection={names['hidden']}")
    assert rows(asked) == []
    assert len(rows(other.open(f"/audit?connection={names['hidden']}"))) == 1


def test_whatever_was_written_is_only_text(sit: Sit, running_hub: RunningHub) -> None:
    boss, bad = sit("admin"), "<script>alert('x')</script>"
    note(running_hub, action=bad, username=bad, object=bad, via=bad, address=bad, detail={bad: bad})
    for path in ("/audit", f"/audit?user={bad}&action={bad}&connection={bad}&since={bad}"):
        page = boss.open(path)
        assert page.status in (200, 422)
        assert "<script>alert" not in page.html
        assert "&lt;script&gt;alert" in page.html


def test_what_is_done_to_a_record_is_told_in_words_and_leads_to_it(sit: Sit) -> None:
    boss = sit("admin")
    made = boss.send("/customers/new", **{"f-name": f"Acme {uuid4().hex[:6]}"})
    assert made.status == 303, made.text
    at = made.to.partition("?")[0]
    refused = boss.send(f"{at}/do/give_up")
    assert refused.status == 303, refused.text
    boss.send(f"{at}/delete", there="keep")
    page = boss.open("/audit")
    found = rows(page)[:3]
    for row, words in zip(
        found,
        (["Delete a customer", "Done"], ["Give an edit of a customer up", "Not taken"],
         ["Create a customer", "Done"]),
        strict=True,
    ):  # fmt: skip
        for word in words:
            assert word in row
    assert page.html.count(f'<a href="{at}">Customer {at.rpartition("/")[2]}</a>') == 3
    # The page's form and the API's route are one action to ask for.
    boss.visitor.ask("POST", f"/api{at}/restore")
    assert "Restore a customer" in rows(boss.open("/audit"))[0]


def test_whatever_somebody_may_do_has_words() -> None:
    nobody_yet = {"login", "refresh", "sign_in_form", "code_form", "welcome_form"}
    nobody_yet |= {"receive_webhook", "receive_webhook_of_source"}
    nobody_yet |= {"sign_in_options", "sign_in_with_passkey"}
    only_asks = {"validate_new_connector", "validate_settings"}
    routes = iter_route_contexts(create_app().routes)
    names = {str(one.name) for one in routes if (one.methods or set()) - {"GET", "HEAD"}}
    assert "create_customer" in names
    assert names - set(WORDS) == nobody_yet | only_asks

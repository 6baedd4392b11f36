"""The page Connectors: what is connected, and what can be."""

from typing import Any

from tests.connectors.conftest import Connect
from tests.kit.desk import Desk
from tests.kit.people import Sit


def test_types_are_found_by_words_and_category_and_those_to_come_say_when(admin: Desk) -> None:
    page = admin.open("/connectors")
    assert page.status == 200
    assert '<link rel="alternate" type="application/json" href="/api/connectors/status">' in (
        page.html
    )
    assert 'href="/connectors/new/erpnext"' in page.html
    assert "Bank feeds" in page.text
    assert "Later" in page.text
    assert 'href="/connectors/new/bank"' not in page.html
    found = admin.open("/connectors?search=building%20QUANTITIES")
    assert "IFC building models" in found.text
    assert "Bank feeds" not in found.text
    assert 'value="building QUANTITIES"' in found.html
    some = admin.open("/connectors?category=files")
    assert "Nextcloud files" in some.text
    assert "Bank feeds" not in some.text
    none = admin.open("/connectors?search=%3Cscript%3E")
    assert "Nothing of that name" in none.text
    assert "<script>" not in none.html.partition("</head>")[2]
    assert admin.open("/connectors/new/bank").status == 404


def test_connections_stand_on_top_with_their_host(
    sit: Sit, admin: Desk, connect: Connect, site: Any
) -> None:
    at = connect(admin, name="Acme <img src=x>")
    page = sit("viewer").open("/connectors")
    assert "Acme <img src=x>" in page.text
    assert "<img" not in page.html
    assert f'href="{at}"' in page.html
    assert site.url.partition("://")[2] in page.text
    assert 'data-live="run stream connection"' in page.html


def test_viewers_see_what_there_is_and_connect_nothing(sit: Sit) -> None:
    viewer = sit("viewer")
    page = viewer.open("/connectors")
    assert "/connectors/new/" not in page.html
    assert viewer.open("/connectors/new/erpnext").status == 403
    for path in ("", "/test", "/validate"):
        assert viewer.send(f"/connectors/new/erpnext{path}").status == 403


def test_a_private_connection_is_nobody_elses(sit: Sit, admin: Desk, connect: Connect) -> None:
    editor = sit("editor")
    at = connect(editor, name="Secret Sisters")
    mine = editor.open("/connectors")
    assert "Secret Sisters" in mine.text
    assert "Only you" in mine.text
    assert "Secret Sisters" not in admin.open("/connectors").text
    assert admin.open(f"{at}/settings").status == 404
    assert admin.send(f"{at}/settings", name="Mine now").status == 404


def test_what_is_there_already_is_not_to_come(admin: Desk) -> None:
    assert "Customers both ways" not in admin.open("/connectors").text
    found = admin.open("/connectors?search=two-way%20customers")
    assert 'href="/connectors/new/erpnext"' in found.html


def test_a_page_that_is_not_there_tells_people_what_people_can_do(admin: Desk) -> None:
    gone = admin.open("/connectors/nowhere")
    assert gone.status == 404
    assert "Go back, or start from the first page." in gone.text
    assert "GET /" not in gone.text
    assert "GET /api/connectors" in admin.visitor.get("/api/connectors/nowhere").json["next_step"]

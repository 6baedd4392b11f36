"""Streams on pages: added by name, shaped in a form, switched, removed."""

from typing import Any

import pytest

from bascule.errors import Invalid
from bascule.mirror.streams import form
from bascule.mirror.tables import Stream
from tests.connections.pages.conftest import Connect, Ended
from tests.connectors.test_connector_settings import settings
from tests.kit.desk import Desk
from tests.kit.people import Sit


def test_what_is_typed_is_what_the_stream_does(
    pulled: str, sit: Sit, ended: Ended, sql: Any
) -> None:
    editor = sit("editor")
    path = f"/connectors/{pulled}/streams/supplier"
    typed = {
        "filters": '[["disabled", "=", 0]]',
        "omit": "tax_id\nwebsite",
        "rename": "supplier_group = kind\n",
    }
    page = editor.follow(editor.send(path, **typed))
    assert "Supplier is saved." in page.text
    [stream] = [
        one
        for one in editor.visitor.get(f"/api/connectors/{pulled}/streams").json["streams"]
        if one["doctype"] == "Supplier"
    ]
    assert stream["filters"] == [["disabled", "=", 0]]
    assert stream["omit"] == ["tax_id", "website"]
    assert stream["rename"] == {"supplier_group": "kind"}
    for shown in (
        "[[&#34;disabled&#34;, &#34;=&#34;, 0]]",
        "tax_id\nwebsite",
        ">supplier_group = kind<",
    ):
        assert shown in page.html

    assert "Started pulling Supplier." in editor.follow(editor.send(f"{path}/sync")).text
    assert ended(pulled)[0]["outcome"] == "done"
    columns = {
        name
        for (name,) in sql(
            "SELECT column_name FROM information_schema.columns"
            " WHERE table_schema = %s AND table_name = 'supplier'",
            [pulled],
        )
    }
    assert "kind" in columns
    assert "tax_id" not in columns
    assert "<code>kind</code>" in editor.open(path).html

    editor.follow(editor.send(path, filters=" ", omit="", rename=""))
    assert "shaped" not in editor.open(f"/connectors/{pulled}").text


@pytest.mark.parametrize(
    ("field", "typed", "why"),
    [
        ("filters", '[["disabled", "=", 0]', "is not JSON"),
        ("filters", '{"disabled": 0}', "has to be a list"),
        ("filters", '[["disabled", "~", 0]]', "the operator is not known"),
        ("omit", "modified", "modified cannot be left out"),
        ("omit", "web_site", "Supplier has no field web_site"),
        ("rename", "tax-id = vat", "Supplier has no field tax-id"),
        ("rename", "supplier_group", "has a line that is not field = column"),
        ("rename", "supplier_group = name", "two columns would have one name"),
    ],
)
def test_what_cannot_be_taken_is_kept_and_explained(
    connect: Connect, sit: Sit, field: str, typed: str, why: str
) -> None:
    editor = sit("editor")
    path = f"/connectors/{connect()['slug']}/streams/Supplier"
    page = editor.send(path, **{"omit": "website", field: typed})
    assert page.status == 422
    assert why in page.text
    assert "Nothing was saved." in page.text
    assert typed.replace('"', "&#34;") in page.html
    assert f'id="error-{field}"' in page.html
    assert "website" not in editor.open(path).text


def test_a_filter_is_read_back_as_it_was_written() -> None:
    conditions = [["status", "in", ["Open", "é"]], ["total", ">=", 1.5]]
    stream = Stream(filters=conditions, omit=["a", "b"], rename={"c": "d"})
    assert form.from_text(form.as_text(stream)) == {
        "filters": conditions,
        "omit": ["a", "b"],
        "rename": {"c": "d"},
    }
    one = {"filters": '["status", "=", "Open"]', "omit": "a, b", "rename": ""}
    assert form.from_text(one)["filters"] == [["status", "=", "Open"]]
    with pytest.raises(Invalid, match="twice"):
        form.from_text({"filters": "", "omit": "", "rename": "a=b\na=c"})


def test_any_doctype_is_found_added_and_pulled(
    connect: Connect, sit: Sit, ended: Ended, site: Any
) -> None:
    editor = sit("editor")
    slug = connect()["slug"]
    path = f"/connectors/{slug}/streams"
    assert sit("viewer").open(path).status == 403
    page = editor.open(path)
    assert "Sales orders" in page.text
    assert 'value="orders"' in page.html
    found = editor.open(f"{path}?doctype=supplier").text
    assert "Supplier mirrored already" in found
    assert "Supplier Group" in found
    assert "no DocType with “zzz”" in editor.open(f"{path}?doctype=zzz").text

    page = editor.send(path, doctype="No Such <Thing>")
    assert page.status == 422
    assert 'value="No Such &lt;Thing&gt;"' in page.html
    assert "alert-danger" in page.html

    page = editor.follow(editor.send(path, doctype="Supplier Group"))
    assert "Added Supplier Group. Started pulling Supplier Group." in page.text
    assert [(run["doctype"], run["outcome"]) for run in ended(slug)] == [("Supplier Group", "done")]

    site.faults.add("forbidden", doctype="DocType")
    assert "Type the whole name" in editor.open(f"{path}?doctype=item").text


def test_a_stream_is_switched_and_removed(pulled: str, sit: Sit, sql: Any) -> None:
    editor = sit("editor")
    path = f"/connectors/{pulled}/streams/supplier"
    assert "Supplier is switched off." in editor.follow(editor.send(f"{path}/switch")).text
    assert "Supplier Off" in editor.open(f"/connectors/{pulled}").text
    begun = editor.follow(editor.send(f"/connectors/{pulled}/sync"))
    assert "Started pulling Warehouse." in begun.text
    page = editor.follow(editor.send(f"{path}/switch", on="on"))
    assert "Supplier is switched on." in page.text

    assert "Mirror Supplier no longer?" in editor.open(path).text
    assert "is dropped" in editor.follow(editor.send(f"{path}/remove")).text
    assert editor.open(path).status == 404
    assert sql("SELECT to_regclass(%s)", [f"{pulled}.supplier"]) == [(None,)]


def test_a_viewer_sees_how_a_stream_is_made_and_changes_nothing(pulled: str, sit: Sit) -> None:
    viewer = sit("viewer")
    path = f"/connectors/{pulled}/streams/supplier"
    page = viewer.open(path)
    assert page.status == 200
    assert "disabled>" in page.html
    assert f'action="{path}/' not in page.html
    for action in ("", "/switch", "/sync", "/verify", "/remove"):
        assert viewer.send(f"{path}{action}").status == 403, action


def test_a_changed_filter_or_look_back_says_what_it_will_do_and_proof_is_of_what_fits(
    connect: Connect, admin_desk: Desk, ended: Ended, site: Any
) -> None:
    slug = str(connect(start=True, streams=["suppliers", "orders"], lookback_days=30)["slug"])
    ended(slug)
    at, page = f"/api/connectors/{slug}", f"/connectors/{slug}/streams/supplier"
    asks = admin_desk.visitor

    def stream(name: str = "supplier") -> Any:
        return asks.get(f"{at}/streams/{name}").json

    def told(what: str, **body: Any) -> None:
        asks.post(f"/api/connectors/{what}", {"connector_id": slug, "wait": 60, **body})
        ended(slug)

    admin_desk.follow(admin_desk.send(f"{page}/verify"))
    ended(slug)
    before = stream()
    assert before["proof"].startswith("equal:") and before["pending"] is None
    assert before["limits"] == ""
    group = '[["supplier_group", "=", "Rubber"]]'
    saved = admin_desk.follow(admin_desk.send(page, filters=group, omit="", rename=""))
    for words in ("reads all of it anew under the filter", "Its settings changed", "Sync now"):
        assert words in saved.text
    assert saved.html.count(f'action="{page}/sync"') >= 2, "beside what it says"
    assert stream()["pending"] and stream()["rows"] == before["rows"]

    told("sync")
    after = stream()
    rows = asks.get(f"{at}/rows/supplier?limit=1000").json["rows"]
    assert {row["supplier_group"] for row in rows} == {"Rubber"}
    assert after["rows"] == len(rows) < before["rows"]
    assert (after["pending"], after["limits"]) == (None, "that fit the filter")
    assert "equal" not in after["proof"], "it was of all of them"
    admin_desk.follow(admin_desk.send(f"{page}/verify"))
    ended(slug)
    assert stream()["proof"].startswith(f"equal: {len(rows)} of {len(rows)} by value")
    assert "that fit the filter" in admin_desk.open(page).text

    assert stream("sales_order")["limits"].startswith("since ")
    page_then = admin_desk.follow(
        admin_desk.send(f"/connectors/{slug}/settings", **settings(site, lookback_days="90"))
    )
    assert "The next sync reads Sales Order" in page_then.text and "anew" in page_then.text
    assert "older too, back to" in stream("sales_order")["pending"]
    told("sync")
    assert stream("sales_order")["pending"] is None
    page_then = admin_desk.follow(
        admin_desk.send(f"/connectors/{slug}/settings", **settings(site, lookback_days="10"))
    )
    assert "What is here already stays" in page_then.text
    assert stream("sales_order")["pending"] is None

"""A connection's page: streams and runs, what is started there, the proof, trouble, the end."""

import re
from typing import Any

import pytest

from bascule.mirror.runs import run_batches
from tests.connections.pages.conftest import Connect, Ended
from tests.kit.desk import Desk
from tests.kit.people import Sit


def test_it_shows_what_is_here_and_leads_on(pulled: str, sit: Sit) -> None:
    viewer = sit("viewer")
    page = viewer.open(f"/connectors/{pulled}")
    assert page.status == 200
    rows = {
        stream["doctype"]: stream["rows"]
        for stream in viewer.visitor.get(f"/api/connectors/{pulled}/streams").json["streams"]
    }
    assert rows["Supplier"] > 0
    for doctype, count in rows.items():
        assert re.search(rf"{doctype} Pulled just now {count:,} rows", page.text), page.text
    assert "as hub@example.com" in page.text
    assert f'href="/data/{pulled}/supplier"' in page.html
    assert "Sync, 2 streams Done" in page.text
    assert f'href="/api/connectors/{pulled}"' in page.html
    assert viewer.visitor.get(f"/api/connectors/{pulled}").status == 200


def test_a_viewer_reads_and_starts_nothing(pulled: str, sit: Sit) -> None:
    viewer = sit("viewer")
    page = viewer.open(f"/connectors/{pulled}")
    assert f'action="/connectors/{pulled}' not in page.html
    for action in ("sync", "resync", "verify", "test", "delete", "streams"):
        assert viewer.send(f"/connectors/{pulled}/{action}").status == 403, action
    assert len(viewer.visitor.get(f"/api/connectors/{pulled}/runs").json["runs"]) == 2


def test_sync_now_says_what_it_started_and_starts_nothing_twice(
    pulled: str, sit: Sit, site: Any, ended: Ended
) -> None:
    editor = sit("editor")
    site.faults.add("latency", seconds=5)
    for said in ("Started pulling 2 streams.", "the hub was pulling 2 streams already."):
        sent = editor.send(f"/connectors/{pulled}/sync")
        assert (sent.status, sent.to) == (303, f"/connectors/{pulled}")
        assert said in editor.follow(sent).text
    site.faults.clear()
    runs = ended(pulled)
    assert len(runs) == 4
    assert {run["trigger"] for run in runs[:2]} == {"page"}


def test_everything_is_fetched_anew_when_asked(pulled: str, sit: Sit, ended: Ended) -> None:
    editor = sit("editor")
    assert "Fetch everything anew?" in editor.open(f"/connectors/{pulled}").text
    sent = editor.send(f"/connectors/{pulled}/resync")
    assert "Started fetching 2 streams anew." in editor.follow(sent).text
    assert {run["kind"] for run in ended(pulled)[:2]} == {"full"}


def test_the_runs_of_a_round_are_shown_one_by_one(
    pulled: str, sit: Sit, ended: Ended, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = sit("editor")
    editor.send(f"/connectors/{pulled}/streams/supplier/sync")
    newest, *older = ended(pulled)
    path = f"/connectors/{pulled}"
    first = editor.open(path)
    assert f'<a href="/runs/{newest["id"]}">Sync, Supplier</a>' in first.html
    opened = editor.open(f"{path}?open={min(run['id'] for run in older)}")
    for run in older:
        assert f'<a href="/runs/{run["id"]}">{run["doctype"]}</a>' in opened.html
        assert f'<a href="/runs/{run["id"]}">' not in first.html

    monkeypatch.setattr(run_batches, "ROUNDS", 1)
    link = re.search(r'href="([^"]*before=\d+)#runs">Older runs', editor.open(path).html)
    assert link
    page = editor.open(link[1])
    assert "Sync, 2 streams" in page.text
    assert "Sync, Supplier" not in page.text
    assert "Older runs" not in page.text


def test_a_damaged_row_is_found_named_and_mended(
    pulled: str, sit: Sit, ended: Ended, sql: Any
) -> None:
    editor = sit("editor")
    path = f"/connectors/{pulled}"
    assert "No stream was compared" in editor.open(path).text
    begun = editor.follow(editor.send(f"{path}/verify"))
    assert "Started comparing 2 streams with the site." in begun.text
    ended(pulled)
    said = editor.open(path).text
    assert "Equal to the site" in said
    for text in (said, editor.open("/").text):  # in the same words
        assert re.search(r"equal: ([\d,]+) of \1 by value, \d\d:\d\d", text)
        assert re.search(r"by checksum, (just now|\d+ \w+ ago)", text)

    [[name]] = sql(f"SELECT name FROM {pulled}.supplier ORDER BY name LIMIT 1")
    sql(
        f"UPDATE {pulled}.supplier SET modified = modified - interval '1 day' WHERE name = %s",
        [name],
    )
    editor.send(f"{path}/streams/supplier/verify")
    run = ended(pulled)[0]
    page = editor.open(path)
    assert "1 here as they were before a change" in page.text
    assert name in page.text
    assert f'href="/runs/{run["id"]}"' in page.html
    assert name in editor.open(f"/runs/{run['id']}").text

    page = editor.follow(editor.send(f"{path}/verify", repair="on"))
    assert "and mending what differs" in page.text
    ended(pulled)
    assert "Equal to the site" in editor.open(path).text


def test_what_a_site_refuses_is_told_with_what_to_do(
    pulled: str, sit: Sit, site: Any, ended: Ended
) -> None:
    editor = sit("editor")
    path = f"/connectors/{pulled}"
    site.faults.add("forbidden", doctype="Supplier")
    editor.send(f"{path}/sync")
    run = next(run for run in ended(pulled) if run["doctype"] == "Supplier")
    page = editor.open(path)
    assert run["error"] in page.text
    assert run["next_step"] in page.text
    assert "1 of 2 failed" in page.text

    site.faults.add("revoked")
    tested = editor.send(f"{path}/test")
    assert "alert-danger" in editor.follow(tested).html
    page = editor.open(path)
    assert f'<a class="btn btn-primary btn-sm" href="{path}/settings">' in page.html
    assert f'action="{path}/test"' in page.html

    site.faults.clear()
    assert "The site answers" in editor.follow(editor.send(f"{path}/test")).text
    editor.send(f"{path}/sync")
    ended(pulled)
    assert "alert-danger" not in editor.open(path).html


def test_the_end_wants_the_name_typed(
    connect: Connect, ended: Ended, sit: Sit, admin_desk: Desk, sql: Any
) -> None:
    kept, dropped = (str(connect(start=True)["slug"]) for _ in range(2))
    assert "Delete this connection" not in sit("editor").open(f"/connectors/{kept}").text
    assert sit("editor").send(f"/connectors/{kept}/delete", typed=kept).status == 403
    for slug in (kept, dropped):
        ended(slug)
        sent = admin_desk.send(f"/connectors/{slug}/delete", typed="Acme")
        assert f"Type {slug} to delete it." in admin_desk.follow(sent).text
        assert admin_desk.open(f"/connectors/{slug}").status == 200
    sent = admin_desk.send(f"/connectors/{kept}/delete", typed=kept, keep="on")
    assert sent.to == "/connectors"
    assert "left where it is" in admin_desk.follow(sent).text
    sent = admin_desk.send(f"/connectors/{dropped}/delete", typed=dropped)
    assert "is dropped" in admin_desk.follow(sent).text
    there = {name for (name,) in sql("SELECT nspname FROM pg_namespace")}
    assert kept in there
    assert dropped not in there
    assert admin_desk.open(f"/connectors/{kept}").status == 404
    sql(f"DROP SCHEMA {kept} CASCADE")


def test_the_end_tells_what_is_on_the_site_and_what_could_not_be_removed_is_tried_again(
    connect: Connect, sit: Sit, admin_desk: Desk, site: Any
) -> None:
    made = connect()
    at = f"/connectors/{made['slug']}"
    set_up = admin_desk.visitor.ask("PUT", f"/api{at}/webhooks", {"doctypes": ["Supplier"]})
    assert set_up.status == 200, set_up.body
    page = admin_desk.open(at)
    assert "To be removed from the site: 4 webhooks." in page.text
    assert 'name="keep_on_site"' in page.html
    site.faults.add("maintenance")
    sent = admin_desk.send(f"{at}/delete", typed=made["slug"])
    assert (
        "not removed from the site yet, and tried again: 4 webhooks" in admin_desk.follow(sent).text
    )
    listed = f"Still on the site of {made['name']}, which was deleted: 4 webhooks."
    shown = admin_desk.open("/connectors")
    assert listed in shown.text
    [retry] = re.findall(r'action="(/cleanups/\d+/retry)"', shown.html)
    editor = sit("editor")
    assert listed in editor.open("/connectors").text
    assert retry not in editor.open("/connectors").html
    assert editor.send(retry).status == 403
    again = admin_desk.follow(admin_desk.send(retry))
    assert "Still on the site: 4 webhooks" in again.text
    site.faults.clear()
    assert "It is removed from the site." in admin_desk.follow(admin_desk.send(retry)).text
    assert listed not in admin_desk.open("/connectors").text


def test_who_may_not_know_of_it_finds_nothing(connect: Connect, sit: Sit) -> None:
    owner = sit("editor")
    slug = connect(owner)["slug"]
    assert "private" in owner.open(f"/connectors/{slug}").text
    for other in (sit("editor"), sit("admin")):
        assert other.open(f"/connectors/{slug}").status == 404
        assert other.send(f"/connectors/{slug}/sync").status == 404


def test_a_name_with_markup_is_text(connect: Connect, admin_desk: Desk) -> None:
    name = '<img src=x onerror="alert(1)">'
    slug = connect(name=name)["slug"]
    page = admin_desk.open(f"/connectors/{slug}")
    assert "<img" not in page.html
    assert "&lt;img src=x onerror=&#34;alert(1)&#34;&gt;" in page.html
    sent = admin_desk.send(f"/connectors/{slug}/delete", typed=slug)
    assert "<img" not in admin_desk.follow(sent).html


def test_what_needs_attention_is_the_same_on_each_page_and_nothing_is_green_beside_it(
    pulled: str, sit: Sit, site: Any, ended: Ended
) -> None:
    editor = sit("editor")
    site.faults.add("revoked")
    editor.send(f"/connectors/{pulled}/sync")
    ended(pulled)
    told = [
        need
        for need in editor.visitor.get("/api/needs").json["needs"]
        if need["page"] == f"/connectors/{pulled}"
    ]
    assert [need["kind"] for need in told] == ["refused"]
    for path in ("/", "/attention"):
        page = editor.open(path)
        assert told[0]["what"] in page.text
        assert "Nothing needs attention" not in page.text
    page = editor.open(f"/connectors/{pulled}")
    assert "Next tried again" in page.text  # and not when its schedule would
    assert page.text.count(told[0]["what"]) == 1
    site.faults.clear()
    sent = editor.send(f"/connectors/{pulled}/test")
    assert "What had failed was started again: 2 streams." in editor.follow(sent).text
    assert told[0]["what"] not in editor.open("/attention").text

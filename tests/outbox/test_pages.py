"""The page Outbox, its API, and what the first page says: what failed and why, and what is done."""

from bascule.sandbox import Running
from tests.kit.connecting import connect
from tests.kit.people import Sit
from tests.outbox.books import Books


def test_failed_write_is_listed_with_its_reason_and_sent_again_from_its_page(
    books: Books, sit: Sit
) -> None:
    (write,) = books.settled(books.put(books.supplier("Vis", "Nope")))
    desk = sit("editor")
    listed = desk.open(f"/outbox?state=failed&connector={books.slug}")
    assert f"{books.mark} supplier:Vis" in listed.text
    assert "Nope" in listed.text
    page = desk.open(f"/outbox/{write.id}")
    assert page.status == 200
    assert "Requests" in page.text
    books.erp.create("Supplier Group", supplier_group_name="Nope")
    said = desk.follow(desk.send(f"/outbox/{write.id}/retry"))
    assert "It is sent again." in said.text
    (write,) = books.settled([write.id])
    assert write.state == "written"
    said = desk.follow(desk.send(f"/outbox/{write.id}/give-up"))
    assert "is over" in said.text
    said = desk.follow(desk.send(f"/outbox/{write.id}/undo"))
    assert "takes it back" in said.text


def test_api_tells_a_write_with_its_requests_and_filters_them(books: Books) -> None:
    api = books.running.api
    numbers = books.put(books.supplier("good"), books.supplier("bad", "No such group"))
    books.settled(numbers)
    found = api.get("/api/outbox", state="failed", search=books.mark).json
    assert [one["id"] for one in found["writes"]] == numbers[1:]
    assert found["counts"]["failed"] >= 1
    whole = api.get(f"/api/outbox/{numbers[1]}").json
    assert whole["write"]["failure"] == "invalid"
    assert whole["requests"][-1]["status"] == 417
    needs = api.get("/api/needs").json
    assert any("failed" in str(one) and "outbox" in str(one) for one in needs["needs"])
    assert api.post(f"/api/outbox/{numbers[1]}/give-up").json["state"] == "given_up"
    assert api.post(f"/api/outbox/{numbers[1]}/retry").status == 409
    assert api.post("/api/outbox/999999/retry").status == 404


def test_viewer_looks_and_decides_nothing(books: Books) -> None:
    (write,) = books.settled(books.put(books.supplier("bad", "No such group")))
    viewer = books.running.somebody("viewer")
    assert viewer.get(f"/api/outbox/{write.id}").status == 200
    for act in ("retry", "give-up", "undo"):
        assert viewer.post(f"/api/outbox/{write.id}/{act}").status == 403


def test_outbox_without_writes_says_what_it_is_for(books: Books, sit: Sit) -> None:
    page = sit("viewer").open(f"/outbox?search={books.mark}")
    assert page.status == 200
    assert "No write fits" in page.text


def test_doctypes_of_private_connection_are_offered_to_nobody_else(
    books: Books, site: Running, sit: Sit
) -> None:
    private = connect(books.running.api, site, shared=False, streams=[])["slug"]
    for slug, doctype in ((private, "Hidden Thing"), (books.slug, "Open Thing")):
        books.running.sql(
            "INSERT INTO bascule.outbox_writes (connection_id, key, mark, origin_kind, origin_id,"
            " operation, doctype, lane, state) SELECT id, %s, %s, 'tests', '1', 'create', %s, 0,"
            " 'given_up' FROM bascule.connections WHERE slug = %s RETURNING id",
            [books.mark + doctype, books.mark + doctype, doctype, slug],
        )
    page = sit("viewer").open("/outbox").text
    assert "Open Thing" in page
    assert "Hidden Thing" not in page

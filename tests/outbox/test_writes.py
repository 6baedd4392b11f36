"""Writes end to end: what a room puts is in ERPNext once, and what ERPNext made of it is told."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from bascule import outbox
from bascule.connections.tables import Connection
from bascule.errors import Conflict, Invalid
from bascule.hub import Hub
from bascule.outbox import OutboxWrite, Write, name_of
from bascule.outbox.listeners import _failed, _written
from tests.outbox.books import GROUP, Books, at_bank


@pytest.fixture
def heard() -> Iterator[list[tuple[str, str]]]:
    """(state, key) of what those were told who put writes of the origin `heard`."""
    told: list[tuple[str, str]] = []

    async def listen(hub: Hub, session: AsyncSession, write: OutboxWrite) -> None:
        told.append((write.state, write.key))

    outbox.written("heard")(listen)
    outbox.failed("heard")(listen)
    yield told
    del _written["heard"], _failed["heard"]


def test_create_is_in_erpnext_once_and_told_with_its_name(
    books: Books, heard: list[tuple[str, str]]
) -> None:
    account = at_bank(books)
    numbers = books.put(books.line("a", bank_account=account), origin=("heard", 1))
    (write,) = books.settled(numbers)
    assert (write.state, write.not_kept) == ("written", {})
    document = books.erp.read("Bank Transaction", str(write.name))
    assert document["transaction_id"] == f"{books.mark}a"
    assert write.document_modified == document["modified"]
    assert heard == [("written", f"{books.mark} line:a")]
    assert books.attempts(write.id) == [("create", 200, None)]


def test_key_put_again_is_the_same_write_and_another_write_is_refused(books: Books) -> None:
    first = books.put(books.line("a"))
    books.settled(first)
    assert books.put(books.line("a")) == first
    with pytest.raises(Conflict):
        books.put(books.line("a", deposit=13))
    assert len(books.lines()) == 1


def test_create_whose_answer_was_lost_is_found_by_what_was_sent_and_when(
    books: Books, site: Any
) -> None:
    books.erp.create("Bank Transaction", **books.line("a").values)  # somebody else's
    site.faults.add("lost_answer", method="POST", doctype="Bank Transaction", times=1)
    numbers = books.put(books.line("a"))
    (write,) = books.settled(numbers)
    assert write.state == "written"
    assert len(books.lines()) == 2


def test_two_alike_whose_answers_were_lost_are_two(books: Books, site: Any) -> None:
    alike = [
        Write("Bank Transaction", f"{books.mark} {key}", "create", values=books.line("a").values)
        for key in ("one", "two", "three")
    ]
    site.faults.add("lost_answer", method="POST", path="insert", times=1)
    site.faults.add("lost_answer", method="POST", doctype="Bank Transaction", times=2)
    writes = books.settled(books.put(*alike))
    assert [one.state for one in writes] == ["written"] * 3
    assert {one.name for one in writes} == {row["name"] for row in books.lines()}
    assert len({one.name for one in writes}) == 3


def test_create_that_never_arrived_is_sent_again(books: Books, site: Any) -> None:
    site.faults.add("dropped", method="POST", doctype="Bank Transaction", times=1)
    (write,) = books.settled(books.put(books.line("a")))
    assert write.state == "written"
    assert [row["name"] for row in books.lines()] == [write.name]


def test_submit_and_cancel_whose_answers_were_lost_are_done_once(books: Books, site: Any) -> None:
    created = books.line("a", bank_account=at_bank(books))
    named = name_of(created.key)
    site.faults.add("lost_answer", method="PUT", times=1)
    site.faults.add("lost_answer", path="frappe.client.cancel", times=1)
    origin = ("tests", books.mark)
    numbers = books.put(
        created,
        Write("Bank Transaction", f"{books.mark} submit", "submit", named),
        Write("Bank Transaction", f"{books.mark} cancel", "cancel", named),
        origin=origin,
    )
    books.settled(numbers[:1])
    writes = books.settled(numbers)
    assert [one.state for one in writes] == ["written"] * 3, books.standing(numbers)
    assert [one.docstatus for one in writes] == [0, 1, 2]
    (row,) = books.lines()
    assert {one.name for one in writes} == {row["name"]}


def test_update_is_refused_when_somebody_saved_the_document_since(
    books: Books, heard: list[tuple[str, str]]
) -> None:
    supplier = books.erp.create("Supplier", **books.supplier("Vis").values)
    books.erp.change("Supplier", f"{books.mark} Vis", website="https://theirs.example.com")
    change = Write(
        "Supplier", f"{books.mark} web", "update", f"{books.mark} Vis", {"website": "https://ours.example.com"},
        based_on=supplier["modified"],
    )  # fmt: skip
    numbers = books.put(change, origin=("heard", "Vis"))
    (write,) = books.settled(numbers)
    assert (write.state, write.failure) == ("failed", "changed_meanwhile")
    assert write.next_step
    assert heard == [("failed", f"{books.mark} web")]
    assert (
        books.erp.read("Supplier", f"{books.mark} Vis")["website"] == "https://theirs.example.com"
    )

    async def again(hub: Hub, session: AsyncSession, connection: Connection) -> None:
        await outbox.retry(hub, session, await session.get_one(OutboxWrite, numbers[0]))

    books.do(again)
    (write,) = books.settled(numbers)
    assert write.state == "written"
    assert books.erp.read("Supplier", f"{books.mark} Vis")["website"] == "https://ours.example.com"


def test_update_whose_answer_was_lost_is_not_sent_twice(books: Books, site: Any) -> None:
    before = books.erp.create("Supplier", **books.supplier("Vis").values)
    site.faults.add("lost_answer", method="PUT", times=1)
    change = Write(
        "Supplier", f"{books.mark} web", "update", f"{books.mark} Vis", {"website": "https://ours.example.com"},
        based_on=before["modified"],
    )  # fmt: skip
    (write,) = books.settled(books.put(change))
    assert write.state == "written"
    assert [one[0] for one in books.attempts(write.id)] == ["update"]


def test_delete_of_what_is_gone_is_written(books: Books, site: Any) -> None:
    books.erp.create("Supplier", **books.supplier("Vis").values)
    site.faults.add("lost_answer", method="DELETE", times=1)
    (write,) = books.settled(
        books.put(Write("Supplier", f"{books.mark} gone", "delete", f"{books.mark} Vis"))
    )
    assert write.state == "written"
    assert books.erp.find("Supplier", f"{books.mark} Vis") is None


def test_call_whose_answer_was_lost_waits_for_a_person(books: Books, site: Any) -> None:
    call = Write("frappe.ping", f"{books.mark} ping", "call")
    site.faults.add("lost_answer", path="frappe.ping", times=1)
    (write,) = books.settled(books.put(call))
    assert (write.state, write.failure) == ("failed", "unknown")
    (write,) = books.settled(books.put(Write("frappe.ping", f"{books.mark} again", "call")))
    assert (write.state, write.answer) == ("written", "pong")


def test_fields_that_erpnext_dropped_or_changed_are_told(books: Books) -> None:
    (write,) = books.settled(books.put(books.supplier("Vis", no_such_field="x")))
    assert write.state == "written"
    assert write.not_kept == {"no_such_field": {"sent": "x", "stored": None}}


def test_refusal_says_which_field_and_what_to_do(
    books: Books, heard: list[tuple[str, str]]
) -> None:
    numbers = books.put(books.supplier("Vis", "Nope"), origin=("heard", 1))
    (write,) = books.settled(numbers)
    assert (write.state, write.failure) == ("failed", "invalid")
    assert "Nope" in str(write.why)
    assert write.next_step
    assert heard == [("failed", f"{books.mark} supplier:Vis")]


def test_one_refused_of_many_holds_up_none_of_the_others(books: Books) -> None:
    many = [books.supplier(f"S{n}", "Nope" if n == 17 else GROUP) for n in range(40)]
    writes = books.settled(books.put(*many))
    assert [one.key for one in writes if one.state != "written"] == [many[17].key]
    assert writes[17].failure == "invalid"
    assert writes[17].wrong or "Nope" in str(writes[17].why)
    made = {name for name in books.erp.names("Supplier") if name.startswith(books.mark)}
    assert made == {f"{books.mark} S{n}" for n in range(40) if n != 17}


def test_dependent_write_waits_and_gets_the_name_of_the_first(books: Books) -> None:
    bank = Write("Bank", books.mark, "create", values={"bank_name": books.mark})
    named = {"account_name": "Savings", "bank": name_of(books.mark)}
    account = Write("Bank Account", f"{books.mark} account", "create", values=named)
    writes = books.settled(books.put(bank, account))
    assert [one.state for one in writes] == ["written"] * 2, [one.why for one in writes]
    made = books.erp.read("Bank Account", f"Savings - {books.mark}")
    assert made["bank"] == books.mark
    with pytest.raises(Invalid):
        books.put(Write("Bank Account", f"{books.mark} other", "create", depends_on=["nobody"]))


def test_given_up_write_fails_what_depends_on_it(books: Books) -> None:
    bad = books.supplier("V", "Nope")
    first = books.put(bad)
    change = Write("Supplier", f"{books.mark} next", "update", name_of(bad.key), {"website": "x"})
    second = books.put(change)
    books.settled(first)

    async def give_up(hub: Hub, session: AsyncSession, connection: Connection) -> None:
        await outbox.give_up(hub, session, await session.get_one(OutboxWrite, first[0]))

    books.do(give_up)
    (write,) = books.settled(second)
    assert (write.state, write.failure) == ("failed", "dependency")


def test_undo_deletes_a_draft_cancels_what_was_submitted_and_puts_values_back(books: Books) -> None:
    account = at_bank(books)
    web = {"website": "https://ours.example.com"}
    change = Write("Supplier", f"{books.mark} web", "update", f"{books.mark} Vis", web)
    submitted = books.line("s", bank_account=account, docstatus=1)
    books.settled(books.put(books.supplier("Vis")))
    numbers = books.put(change, submitted, books.line("d"))
    books.settled(numbers)

    async def undo(hub: Hub, session: AsyncSession, connection: Connection) -> list[int]:
        return [
            await outbox.undo(hub, session, await session.get_one(OutboxWrite, number))
            for number in numbers
        ]

    writes = books.settled(books.do(undo))
    assert [one.operation for one in writes] == ["update", "cancel", "delete"]
    assert [one.state for one in writes] == ["written"] * 3, books.standing([w.id for w in writes])
    assert not books.erp.read("Supplier", f"{books.mark} Vis").get("website")
    assert [(row["transaction_id"], row["docstatus"]) for row in books.lines()] == [
        (f"{books.mark}s", 2)
    ]


def test_listener_that_fails_is_told_again_and_nothing_is_made_twice(books: Books) -> None:
    times: list[str] = []

    async def fail_once(hub: Hub, session: AsyncSession, write: OutboxWrite) -> None:
        times.append(write.key)
        if len(times) == 1:
            raise ValueError("not today")

    outbox.written("fails")(fail_once)
    try:
        numbers = books.put(books.line("a"), origin=("fails", 1))
        (write,) = books.settled(numbers)
    finally:
        del _written["fails"]
    assert write.state == "written"
    assert times == [f"{books.mark} line:a"] * 2
    assert len(books.lines()) == 1


def test_site_that_is_down_is_waited_for(books: Books, site: Any) -> None:
    site.faults.add("maintenance", times=3)
    (write,) = books.settled(books.put(books.line("a")))
    assert write.state == "written"
    assert len(books.lines()) == 1

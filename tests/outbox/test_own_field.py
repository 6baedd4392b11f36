"""Creates on a site that has the hub's own unique field, by which they are known."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from bascule import outbox
from bascule.connections.tables import Connection
from bascule.hub import Hub
from tests.outbox.books import Books


def prepare(books: Books, *doctypes: str) -> None:
    async def prepared(hub: Hub, session: AsyncSession, connection: Connection) -> Any:
        return await outbox.prepare(hub, connection, doctypes)

    assert set(books.do(prepared).values()) == {None}


def test_create_whose_answer_was_lost_is_found_by_the_hubs_own_field(
    books: Books, site: Any
) -> None:
    prepare(books, "Bank Transaction")
    site.faults.add("lost_answer", method="POST", doctype="Bank Transaction", times=1)
    numbers = books.put(books.line("a"))
    books.hurry()
    (write,) = books.settled(numbers)
    assert write.state == "written"
    assert len(books.lines()) == 1
    assert books.attempts(write.id)[0][1] is None


def test_batch_whose_answer_was_lost_is_found_and_made_once(books: Books, site: Any) -> None:
    prepare(books, "Bank Transaction")
    site.faults.add("lost_answer", path="insert_many", times=2)
    numbers = books.put(*(books.line(f"{n}") for n in range(60)))
    writes = books.settled(numbers)
    assert {one.state for one in writes} == {"written"}, books.standing(numbers)
    lines = books.lines()
    assert len(lines) == 60
    by_name = {row["name"]: row["transaction_id"] for row in lines}
    assert [by_name[str(one.name)] for one in writes] == [f"{books.mark}{n}" for n in range(60)]


def test_field_that_was_removed_there_is_forgotten(books: Books) -> None:
    prepare(books, "Bank Transaction")
    books.settled(books.put(books.line("before")))
    books.erp.delete("Custom Field", "Bank Transaction-bascule_id")
    (write,) = books.settled(books.put(books.line("after")))
    assert write.state == "written"
    (write,) = books.settled(books.put(books.line("later")))
    assert write.sent_key_field is None
    assert len(books.lines()) == 3

"""A hub that writes to the books of a site, as the tests of this folder drive it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from bascule import outbox
from bascule.connections.queries import find_connection
from bascule.connections.tables import Connection
from bascule.hub import Hub
from bascule.outbox import OutboxWrite, Write
from tests.kit.hub import RunningHub
from tests.kit.site import Erp
from tests.kit.waiting import until

T = TypeVar("T")
GROUP = "All Supplier Groups"
UNFINISHED = ("waiting", "sending", "in_doubt")


@dataclass
class Books:
    """`mark`: what everything of one test is told by, on a site that others share."""

    running: RunningHub
    erp: Erp
    slug: str
    mark: str

    def do(self, work: Callable[[Hub, AsyncSession, Connection], Awaitable[T]]) -> T:
        """In one transaction of the hub."""

        async def done() -> T:
            hub = self.running.hub
            async with hub.db.session() as session:
                return await work(hub, session, await find_connection(session, self.slug, None))

        return self.running.run(done())

    def put(self, *writes: Write, origin: tuple[str, object] | None = None) -> list[int]:
        """Each of an origin of its own, if none is given."""
        each = [(write, origin or ("tests", write.key)) for write in writes]
        return self.do(
            lambda hub, session, connection: outbox.put_many(hub, session, connection, each)
        )

    def write(self, number: int) -> OutboxWrite:
        async def found(hub: Hub, session: AsyncSession, connection: Connection) -> OutboxWrite:
            return await session.get_one(OutboxWrite, number)

        return self.do(found)

    def settled(self, numbers: Sequence[int]) -> list[OutboxWrite]:
        """Once none of them is on its way any more."""

        def over() -> bool:
            left = self.running.sql(
                "SELECT count(*) FROM bascule.outbox_writes WHERE id = ANY(%s) AND state = ANY(%s)",
                [list(numbers), list(UNFINISHED)],
            )
            return left[0][0] == 0

        until(over, lambda: self.standing(numbers))
        return [self.write(number) for number in numbers]

    def standing(self, numbers: Sequence[int]) -> Any:
        return self.running.sql(
            "SELECT id, key, state, failure, why, attempts, retry_at, begun_at"
            " FROM bascule.outbox_writes WHERE id = ANY(%s)",
            [list(numbers)],
        )

    def hurry(self) -> None:
        """What waits for its time has it."""
        self.running.sql("UPDATE bascule.circuits SET open_until = now() WHERE open_until > now()")
        self.running.sql("UPDATE bascule.outbox_writes SET retry_at = now() WHERE retry_at > now()")

    def attempts(self, number: int) -> list[tuple[Any, ...]]:
        """(what, status, error), in order."""
        return self.running.sql(
            "SELECT what, status, error FROM bascule.outbox_attempts WHERE write_id = %s"
            " ORDER BY id",
            [number],
        )

    def line(self, key: str, **values: Any) -> Write:
        """A line of a bank statement."""
        given = {
            "date": "2026-11-10",
            "deposit": 12.5,
            "currency": "EUR",
            "description": f"Line {key}",
            "transaction_id": f"{self.mark}{key}",
            **values,
        }
        return Write("Bank Transaction", f"{self.mark} line:{key}", "create", values=given)

    def supplier(self, key: str, group: str = GROUP, **values: Any) -> Write:
        given = {"supplier_name": f"{self.mark} {key}", "supplier_group": group, **values}
        return Write("Supplier", f"{self.mark} supplier:{key}", "create", values=given)

    def lines(self) -> list[dict[str, Any]]:
        """The test's Bank Transactions on the site."""
        told = ("name", "transaction_id", "docstatus")
        filters = [["transaction_id", "like", f"{self.mark}%"]]
        return list(self.erp.list("Bank Transaction", filters, told))


def at_bank(books: Books) -> str:
    """The company's bank account."""
    found = books.erp.list("Bank Account", [["account_name", "=", "Checking"]])
    if found:
        return str(found[0]["name"])
    books.erp.create("Bank", bank_name="Demo Bank")
    company = books.erp.list("Company")[0]["name"]
    made = books.erp.create(
        "Bank Account", account_name="Checking", bank="Demo Bank", is_company_account=1,
        company=company,
    )  # fmt: skip
    return str(made["name"])

"""One job's work at one record: what each of its steps needs, and how it writes things down."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from bascule.connections.tables import Connection
from bascule.frappe import Site
from bascule.hub import Hub
from bascule.sync.fields import Part
from bascule.sync.mapping import Mapped
from bascule.sync.queries import LinkedRecord, find
from bascule.sync.receive.apply_remote import now
from bascule.sync.receive.party import saves_parts
from bascule.sync.send.attempts import ExchangeOutcome, note_ends, record_attempt, record_read
from bascule.sync.send.failures import SendFailure
from bascule.sync.tables import Link, TwoWay


@dataclass
class Sending:
    """One job's work at one record. `whole` is as it was when it was last read, and locked by
    nobody: what is written to the database is written to a row that is read again.
    """

    hub: Hub
    site: Site
    whole: LinkedRecord
    connection: Connection
    up_to: int  # the newest edit in the outbox that this work is about
    in_conflict: set[str]
    clock: datetime  # the database's, at the end of the last transaction
    refused: dict[str, str] = field(default_factory=dict)  # field -> the site's words
    refusal: SendFailure | None = None  # the first of them
    kept_back: dict[Part, list[str]] = field(default_factory=dict)  # see `plan`
    sent: dict[str, Any] = field(default_factory=dict)  # taken by the site, not yet agreed on
    asked: list[ExchangeOutcome] = field(
        default_factory=list
    )  # requests whose end is not written down
    not_kept: dict[str, str] = field(default_factory=dict)

    @property
    def record_id(self) -> int:
        return self.whole.record.id

    @property
    def link(self) -> Link:
        assert self.whole.link is not None  # noqa: S101 - see `sending`
        return self.whole.link

    @property
    def two_way(self) -> TwoWay:
        assert self.whole.two_way is not None  # noqa: S101
        return self.whole.two_way

    @property
    def fields(self) -> Mapped:
        return self.whole.fields

    @property
    def held(self) -> set[str]:
        """Fields that are not sent now: somebody has to decide about them, or the site will not
        have them.
        """
        return self.in_conflict | set(self.refused)

    @property
    def sendable(self) -> dict[str, Any]:
        """The record's values without what the site will not have."""
        values = self.whole.record.values
        return {name: value for name, value in values.items() if name not in self.refused}

    @property
    def saves_parts(self) -> bool:
        return saves_parts(self.fields.type, self.connection.versions)

    def refusal_of_all(self) -> SendFailure | None:
        """The first refusal, with the words about each field that was refused."""
        wrong = {**self.not_kept, **self.refused}
        return self.refusal and replace(self.refusal, wrong={**self.refusal.wrong, **wrong})

    def refuse(self, names: Mapping[str, str], trouble: SendFailure) -> None:
        """The site will not have these; the others are sent all the same."""
        self.refused |= names
        self.refusal = self.refusal or trouble

    @asynccontextmanager
    async def record_attempt(
        self, what: str, document: str, request: Any
    ) -> AsyncIterator[ExchangeOutcome]:
        async with record_attempt(
            self.hub, self.two_way.id, self.record_id, what, document, request
        ) as said:
            self.asked.append(said)
            yield said

    def record_read(self, document: str) -> AbstractAsyncContextManager[None]:
        return record_read(self.hub, self.two_way.id, self.record_id, document)

    @asynccontextmanager
    async def recording(self) -> AsyncIterator[tuple[AsyncSession, LinkedRecord]]:
        """A transaction on the record as it is now, locked; afterwards `whole` is that. What the
        site took is agreed on with it: what was answered would be taken for an edit of theirs else.
        """
        async with self.hub.db.session() as session:
            whole = await find(session, None, self.record_id, None, lock=True)
            await note_ends(session, self.asked)
            if self.sent and whole.link is not None:
                whole.link.base = {**whole.link.base, **self.sent}
                self.sent = {}
            yield session, whole
            await session.flush()
            self.clock = await now(session)
            session.expunge_all()
        self.whole = whole

"""What the outbox's API takes and gives."""

from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from bascule.connections.tables import Connection
from bascule.outbox.failures import Kind
from bascule.outbox.queries import State
from bascule.outbox.sending.redaction import as_kept
from bascule.outbox.tables import OutboxAttempt, OutboxWrite

WRITE: dict[str, Any] = {
    "id": 41,
    "connector": "acme_trading",
    "key": "bank:line:2026-11-10/7",
    "origin": "bank",
    "origin_id": "7",
    "operation": "create",
    "doctype": "Bank Transaction",
    "name": None,
    "state": "failed",
    "failure": "invalid",
    "why": "Could not find Bank Account: Savings.",
    "next_step": "Correct the values that are named, and send it again.",
    "wrong": {"bank_account": "Could not find Bank Account: Savings."},
    "not_kept": None,
    "attempts": 1,
    "retry_at": None,
    "depends_on": [],
    "lock": None,
    "undoes": None,
    "by": "maarten",
    "created_at": "2026-11-20T22:48:17Z",
    "written_at": None,
}
ATTEMPT: dict[str, Any] = {
    "id": 97,
    "what": "create",
    "request": {"bank_account": "Savings", "deposit": 12.5},
    "answer": None,
    "status": 417,
    "error": "Could not find Bank Account: Savings.",
    "at": "2026-11-20T22:48:17Z",
    "finished_at": "2026-11-20T22:48:17Z",
}


class WriteAnswer(BaseModel):
    """One change of one document, on its way to ERPNext or there."""

    model_config = ConfigDict(json_schema_extra={"example": WRITE})

    id: int
    connector: str = Field(description="The connector's slug.")
    key: str = Field(description="This write's for ever: put again, it is not sent again.")
    origin: str = Field(description="The part of the hub that put it.")
    origin_id: str = Field(description="What it is about there.")
    operation: str = Field(description="create, update, submit, cancel, delete or call.")
    doctype: str = Field(description="Of a call: the method.")
    name: str | None = Field(description="The document's; null until it is known.")
    state: State
    failure: Kind | None = Field(description="The kind of thing that is the matter.")
    why: str | None
    next_step: str | None
    wrong: dict[str, Any] = Field(description="By field, what ERPNext says of it.")
    not_kept: dict[str, Any] | None = Field(
        description="Fields that ERPNext dropped or changed: what was sent and what is stored. "
        "null: not compared."
    )
    attempts: int
    retry_at: datetime | None = Field(description="When it is tried again by itself.")
    depends_on: list[str] = Field(description="Keys of the writes that have to be written first.")
    lock: str | None = Field(description="Of those with one lock, one is under way at a time.")
    undoes: int | None = Field(description="The number of the write that this takes back.")
    by: str
    created_at: datetime
    written_at: datetime | None

    @classmethod
    def of(cls, write: OutboxWrite, connection: Connection) -> Self:
        return cls.model_validate(
            {
                **{name: getattr(write, name, None) for name in cls.model_fields},
                "connector": connection.slug,
                "origin": write.origin_kind,
                "lock": write.lock_name,
            }
        )


class Writes(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={"example": {"writes": [WRITE], "counts": {"failed": 1}, "next": None}}
    )

    writes: list[WriteAnswer] = Field(description="Newest first.")
    counts: dict[State, int] = Field(description="How many are in each state, of all.")
    next: int | None = Field(description="Send it as `before` for the next page; null at the end.")


class AttemptAnswer(BaseModel):
    """One request, without credentials. `finished_at` null: it was cut off."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"example": ATTEMPT})

    id: int
    what: str
    request: Any
    answer: Any
    status: int | None
    error: str | None
    at: datetime
    finished_at: datetime | None


class WholeWrite(BaseModel):
    """A write with what is sent, and every request that was made for it."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "write": WRITE,
                "values": {"bank_account": "Savings", "deposit": 12.5},
                "requests": [ATTEMPT],
            }
        }
    )

    write: WriteAnswer
    values: dict[str, Any]
    requests: list[AttemptAnswer] = Field(description="In order.")

    @classmethod
    def of(cls, write: OutboxWrite, connection: Connection, attempts: list[OutboxAttempt]) -> Self:
        return cls(
            write=WriteAnswer.of(write, connection),
            values=as_kept(write.values),
            requests=[AttemptAnswer.model_validate(one) for one in attempts],
        )


class RetriedWrites(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"retried": 3}})

    retried: int

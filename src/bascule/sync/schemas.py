"""Records, their links and what happened to them, as the API shows them."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from bascule.sync.fields import KINDS, RecordType
from bascule.sync.fields import Field as RecordField
from bascule.sync.queries import LinkedRecord
from bascule.sync.receive.withheld import unread
from bascule.sync.tables import Change, Conflict, Exchange, Link, Record

Value = str | float | bool | None
State = Literal["local", "in_sync", "sending", "waiting", "attention", "conflict"]
PAUSED = "Two-way sync is off: nothing is read or written."
PAUSED_STEP = "Turn it on again; an edit that waits goes to ERPNext then."
EXAMPLE: dict[str, Any] = {
    "name": "Café Müller & Søn",
    "companyName": "Café Müller BV",
    "contactPerson": "Ann Müller",
    "email": "ann@example.com",
    "phone": "+31 6 12345678",
    "address": "Markt 1",
    "city": "Delft",
    "state": "Zuid-Holland",
    "postalCode": "2611 AA",
    "country": "Netherlands",
    "website": "https://muller.example.com",
    "taxNumber": "NL140663166B01",
    "vatNumber": None,
    "creditLimit": 5000,
    "customerGroup": "Individual",
    "customerType": "Company",
    "territory": "All Territories",
    "currency": "EUR",
    "paymentTerms": "Net 30",
    "language": "en",
    "active": True,
    "supplierGroup": "All Supplier Groups",
    "supplierType": "Company",
}
_TYPES: dict[str, Any] = {
    "number": float | str | None,
    "flag": bool | str | int | None,
}


class Sync(BaseModel):
    """How the record and its document stand. `why` and `nextStep` tell what is wrong and what to
    do; `wrong` names fields; `notKept`: fields that the site has no place for, and why. `unread`:
    fields of an Address or a Contact that the hub's user may not read, which is not empty.
    `paused`: two-way sync is off: `state` is how they stood then, nothing is read or written.
    """

    state: State
    paused: bool = False
    why: str | None = None
    nextStep: str | None = None
    remedy: str | None = None
    wrong: dict[str, str] = {}
    retryAt: datetime | None = None
    attempts: int = 0
    goneAt: datetime | None = Field(default=None, description="When it was deleted in ERPNext.")
    notKept: dict[str, str] = {}
    unread: dict[str, str] = {}


class RecordAnswer(BaseModel):
    """A record: its own fields, beside what is known of it."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "example": {
                "id": 12,
                "erpnextId": "Café Müller & Søn",
                "connector": "acme_trading",
                "version": 3,
                "createdAt": "2026-11-20T22:48:17Z",
                "updatedAt": "2026-11-20T23:01:40Z",
                "updatedBy": "anna",
                "deletedAt": None,
                "sync": {"state": "in_sync"},
                **{k: EXAMPLE[k] for k in ("name", "email", "city", "country", "active")},
            }
        },
    )

    id: int
    erpnextId: str | None
    connector: str | None
    version: int
    createdAt: datetime
    updatedAt: datetime
    updatedBy: str
    deletedAt: datetime | None
    sync: Sync

    @staticmethod
    def of(whole: LinkedRecord) -> "RecordAnswer":
        record, link, fields = whole.record, whole.link, whole.fields
        values = {one.name: record.values.get(one.name) for one in fields.fields}
        sync = Sync(state=whole.state)  # type: ignore[arg-type]
        if link is not None:
            not_kept = {
                one.name: why for one in fields.fields if (why := whole.why_alone(one)) is not None
            }
            sync = Sync(
                state=link.state,  # type: ignore[arg-type]
                paused=whole.is_paused,
                why=link.why or (PAUSED if whole.is_paused else None),
                nextStep=link.next_step or (PAUSED_STEP if whole.is_paused else None),
                remedy=link.remedy,
                wrong=link.wrong,
                retryAt=link.retry_at,
                attempts=link.attempts,
                goneAt=link.gone_at,
                notKept=not_kept,
                unread=unread(fields, link),
            )
        return RecordAnswer(
            id=record.id,
            erpnextId=link.document if link else None,
            connector=whole.connection.slug if whole.connection else None,
            version=record.version,
            createdAt=record.created_at,
            updatedAt=record.updated_at,
            updatedBy=record.updated_by,
            deletedAt=record.deleted_at,
            sync=sync,
            **values,
        )


class Records(BaseModel):
    records: list[RecordAnswer]
    next: str | None = Field(default=None, description="For `after`, where there are more.")
    counts: dict[str, int] = Field(description="How many there are in each state, and deleted.")


class Step(BaseModel):
    """One step of a record's history: each field that changed, as [before, after]."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    at: datetime
    origin: str
    by: str
    version: int
    changes: dict[str, list[Any]]
    note: str

    @staticmethod
    def of(change: Change) -> "Step":
        return Step.model_validate(change)


class History(BaseModel):
    steps: list[Step]
    next: int | None = None


class ExchangeAnswer(BaseModel):
    """One attempt to speak with the site about a record. `ms` null: its answer never came."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    at: datetime
    direction: str
    what: str
    document: str
    request: Any
    answer: Any
    status: int | None
    error: str | None
    ms: float | None

    @staticmethod
    def of(exchange: Exchange) -> "ExchangeAnswer":
        return ExchangeAnswer.model_validate(exchange)


class Exchanges(BaseModel):
    exchanges: list[ExchangeAnswer]
    next: int | None = None


class ConflictAnswer(BaseModel):
    """A field that is different on both sides. `base`: what both had before; `agreed` false: they
    never had the same, as of a pair that was put together, so there is nothing to go back to.
    `restored`: it came up because the site is in an older state than both had agreed on.
    """

    id: int
    recordId: int
    recordType: str
    record: str
    field: str
    base: Any
    agreed: bool
    here: Any
    hereBy: str
    hereAt: datetime | None
    there: Any
    thereBy: str
    thereAt: datetime | None
    restored: bool
    openedAt: datetime

    @staticmethod
    def of(conflict: Conflict, record: Record, link: Link) -> "ConflictAnswer":
        return ConflictAnswer(
            id=conflict.id,
            recordId=record.id,
            recordType=record.record_type,
            record=record.title,
            field=conflict.field,
            base=conflict.base,
            agreed=link.ever_agreed(conflict.field),
            here=record.values.get(conflict.field),
            hereBy=conflict.here_by,
            hereAt=conflict.here_at,
            there=conflict.there,
            thereBy=conflict.there_by,
            thereAt=conflict.there_at,
            restored=conflict.restored,
            openedAt=conflict.opened_at,
        )


class Conflicts(BaseModel):
    conflicts: list[ConflictAnswer]


class Resolve(BaseModel):
    """What a field shall be: `here`, `there`, `base` (what both had before, where they ever
    agreed), or a `value` of one's own.
    """

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"choice": "there"}})

    choice: Literal["here", "there", "base", "value"]
    value: Value = None


class ResolveAll(BaseModel):
    """What all open fields of a record shall be: `here`, `there`, or what was before (`base`)."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"choice": "there"}})

    choice: Literal["here", "there", "base"]


class Join(BaseModel):
    """The document that the record is joined with, by its name. `connector`: whose, where there are
    several.
    """

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"document": "Acme"}})

    document: str = Field(min_length=1, max_length=255)
    connector: str | None = Field(default=None, max_length=100)


class Retried(BaseModel):
    retried: int


class Enhanced(BaseModel):
    """What a sync brought, over all connections. `finished` false: it goes on in the background."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "success": True,
                "finished": True,
                "summary": {"fetched": 120, "created": 2, "updated": 5, "unchanged": 113,
                            "deleted": 0, "renamed": 0, "conflicts": 0},
                "connectors": {"acme_trading": {"fetched": 120, "created": 2}},
                "errors": {},
            }
        }
    )  # fmt: skip

    success: bool
    finished: bool
    summary: dict[str, int]
    connectors: dict[str, dict[str, int]]
    errors: dict[str, str]


def body_of(kind: RecordType, *, new: bool) -> type[BaseModel]:
    """What is sent of a record: the type's fields, typed as they are kept, and any field that a
    mapping adds. What is left out takes its default, or stays as it is.
    """
    fields: dict[str, Any] = {one.name: _member(one, new=new) for one in kind.fields}
    if new:
        fields["connector"] = (
            str | None,
            Field(default=None, max_length=100, description="Which site it belongs to."),
        )
    else:
        fields["version"] = (
            int | None,
            Field(default=None, ge=1, le=2**31 - 1, description="409 if it is another by now."),
        )
        fields["erpnextId"] = (
            str | None,
            Field(
                default=None,
                max_length=255,
                description="The document that it is in ERPNext; 409 if it is another.",
            ),
        )
    name = f"{'New' if new else 'Changed'}{kind.name.title()}"
    known = {one.name for one in kind.fields}
    example = {k: v for k, v in EXAMPLE.items() if k in known and v is not None}
    config = ConfigDict(extra="allow", json_schema_extra={"example": example})
    return create_model(name, __config__=config, **fields)


def _member(one: RecordField, *, new: bool) -> Any:
    assert one.kind in KINDS  # noqa: S101
    kind = _TYPES.get(one.kind, str | float | None)
    told = [one.help] if one.help else []
    if one.place is not None:
        told.append(f"{one.place} in ERPNext.")
    if one.required and new:
        return (str, Field(max_length=10_000, description=" ".join(told)))
    return (kind, Field(default=None, description=" ".join(told)))

"""How a connector's records are kept the same, as the API takes and shows it."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from bascule.sync.fields import RecordType
from bascule.sync.mapping import mapped
from bascule.sync.schemas import Value
from bascule.sync.setup.site_fields import SiteFields
from bascule.sync.tables import Match, Record, TwoWay


class Place(BaseModel):
    """Where a field is in ERPNext: of the document itself, its primary Address or Contact."""

    model_config = ConfigDict(extra="forbid")

    part: Literal["main", "address", "contact"] = "main"
    field: str = Field(max_length=140)


class MappingEntry(BaseModel):
    """A field of your own, or what is changed of one that there is: its place, label, direction."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "name": "loyaltyCode",
                "label": "Loyalty code",
                "kind": "text",
                "place": {"part": "main", "field": "loyalty_code"},
            }
        },
    )

    name: str = Field(max_length=40)
    label: str | None = Field(default=None, max_length=100)
    kind: Literal["text", "long", "number", "flag", "email", "phone", "url", "date"] | None = None
    place: Place | None = None
    direction: Literal["both", "to_erpnext", "from_erpnext"] | None = None
    default: Value = None
    help: str | None = Field(default=None, max_length=300)
    needed: bool = Field(default=False, description="Nobody may leave it empty here.")
    choices: list[str] = Field(
        default=[], max_length=50, description="What it may be, where it is text."
    )
    longest: int | None = Field(default=None, ge=1, le=10_000, description="Characters.")


class MappedField(BaseModel):
    """One field as it is mapped. `place` null or `whyNot`: it is kept here alone."""

    name: str
    label: str
    kind: str
    place: str | None
    direction: str
    default: Value
    required: bool
    needed: bool
    choices: list[str]
    longest: int | None
    own: bool
    policy: str | None
    whyNot: str | None


class TwoWayChange(BaseModel):
    """What is left out stays as it is."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"policy": "newest", "poll_minutes": 5}},
    )

    company: str | None = Field(default=None, max_length=140)
    policy: Literal["ask", "erpnext", "hub", "newest"] = "ask"
    field_policies: dict[str, str] = {}
    on_delete: Literal["disable", "delete", "keep"] = "disable"
    poll_minutes: int = Field(default=15, ge=1, le=10_080)
    defaults: dict[str, Value] = {}
    mapping: list[MappingEntry] = Field(default=[], max_length=200)


TWO_WAY: dict[str, Any] = {
    "connector": "acme_trading",
    "type": "customers",
    "status": "matching",
    "company": "De Spaak Rijwielen B.V.",
    "policy": "ask",
    "field_policies": {},
    "on_delete": "disable",
    "poll_minutes": 15,
    "next_poll_at": None,
    "last_poll_at": None,
    "last_summary": {"of": 150, "read": 150, "matching": "ready"},
    "last_error": None,
    "last_error_step": None,
    "owned_field": "bascule_id",
    "notes": [],
    "fields": [
        {
            "name": "email",
            "label": "E-mail",
            "kind": "email",
            "place": "Contact email_ids.email_id",
            "direction": "both",
            "default": None,
            "required": False,
            "needed": False,
            "choices": [],
            "longest": None,
            "own": False,
            "policy": None,
            "whyNot": None,
        }
    ],
}


class TwoWayAnswer(BaseModel):
    """How one record type of one connector is kept the same."""

    model_config = ConfigDict(json_schema_extra={"example": TWO_WAY})

    connector: str
    type: str
    status: Literal["off", "matching", "on"]
    company: str | None
    policy: str
    field_policies: dict[str, str]
    on_delete: str
    poll_minutes: int
    next_poll_at: datetime | None
    last_poll_at: datetime | None
    last_summary: dict[str, Any]
    last_error: str | None
    last_error_step: str | None
    owned_field: str | None
    notes: list[dict[str, str]] = Field(
        default=[], description="Until it is confirmed: what limits it, and the hub's own field."
    )
    fields: list[MappedField]

    @staticmethod
    def of(two_way: TwoWay, connector: str) -> "TwoWayAnswer":
        fields = mapped(two_way)
        own = {"connector", "type", "fields", "last_summary", "notes"}
        names = set(TwoWayAnswer.model_fields) - own
        summary = {k: v for k, v in two_way.last_summary.items() if k != "tickets"}
        return TwoWayAnswer(
            connector=connector,
            type=fields.type.plural,
            last_summary=summary,
            notes=told_notes(two_way),
            fields=[
                MappedField(
                    name=one.name,
                    label=one.label,
                    kind=one.kind,
                    place=str(one.place) if one.place else None,
                    direction=one.direction,
                    default=one.default,
                    required=one.required,
                    needed=one.needed,
                    choices=list(one.choices),
                    longest=one.longest,
                    own=one.own,
                    policy=two_way.field_policies.get(one.name),
                    whyNot=fields.why_not(one),
                )
                for one in fields.fields
            ],
            **{name: getattr(two_way, name) for name in names},
        )


class RightAnswer(BaseModel):
    """One right that was tried. `given` null: the site does not say. `roles`: who has it."""

    doctype: str
    right: str
    given: bool | None
    roles: list[str]


class Checked(BaseModel):
    """What the site can hold. `cannot_hold`: fields that it has no place for, or that the hub's
    user may not write. `refused`: why two-way sync cannot be turned on; empty where it can.
    `site_defaults`: of fields whose usual default the site does not have, what it has instead (its
    company's country, a leaf of its groups); null: nothing.
    """

    cannot_hold: dict[str, str]
    companies: list[str]
    notes: list[dict[str, str]]
    refused: list[dict[str, str]]
    rights: list[RightAnswer]
    owned_field: str | None
    site_defaults: dict[str, Value]

    @staticmethod
    def of(two_way: TwoWay, found: SiteFields) -> "Checked":
        return Checked(
            cannot_hold={k: str(v) for k, v in two_way.cannot_hold.items()},
            companies=found.companies,
            notes=_told(found.notes),
            refused=_told(found.refused),
            rights=[
                RightAnswer(
                    doctype=one.doctype, right=one.right, given=one.given, roles=list(one.roles)
                )
                for one in found.rights
            ],
            owned_field=two_way.owned_field,
            site_defaults=found.site_defaults,
        )


def told_notes(two_way: TwoWay) -> list[dict[str, str]]:
    """What *Begin* found, until it is confirmed."""
    return _told(two_way.last_summary.get("notes") or [])


def _told(notes: Iterable[Sequence[str]]) -> list[dict[str, str]]:
    return [{"what": what, "next_step": step} for what, step in notes]


class Begin(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"own_field": True}})

    own_field: bool = Field(
        default=True,
        description="Add the hidden, unique field bascule_id to the DocType, if the user may. With "
        "it nothing is ever made twice, also when answers are lost; without it the hub looks by "
        "name, owner and time.",
    )


class MatchAnswer(BaseModel):
    """What would become of a record, a document, or the two as a pair. `others`: documents that
    would fit as well, where several do.
    """

    id: int
    recordId: int | None
    record: dict[str, Any] | None
    document: str | None
    there: dict[str, Any]
    matchedBy: str | None
    ambiguous: bool
    others: list[str]
    decision: str

    @staticmethod
    def of(
        match: Match, record: Record | None, kind: RecordType, others: list[str]
    ) -> "MatchAnswer":
        shown = (kind.title, kind.tax, kind.email)
        return MatchAnswer(
            id=match.id,
            recordId=match.record_id,
            record={name: record.values.get(name) for name in shown} if record else None,
            document=match.document,
            there=match.there,
            matchedBy=match.matched_by,
            ambiguous=match.ambiguous,
            others=others,
            decision=match.decision,
        )


class Preview(BaseModel):
    """`ready` false: the two sides are being read. `notes`: what limits it, and which defaults come
    from the site.
    """

    ready: bool
    notes: list[dict[str, str]] = []
    counts: dict[str, int]
    matches: list[MatchAnswer]
    next: int | None = None


class AfterRestore(BaseModel):
    """Which side stays, of all that a restored site has in an older state."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"choice": "here"}})

    choice: Literal["here", "there"]


class Decided(BaseModel):
    """`decided`: of how many records."""

    decided: int


class Decide(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"id": 7, "decision": "pair"}}
    )

    id: int = Field(ge=1, le=2**63 - 1)
    decision: Literal["pair", "bring", "send", "leave"]
    document: str | None = Field(
        default=None,
        max_length=255,
        description="With `pair`: the document that the record is paired with, where another or "
        "none was proposed.",
    )

"""Connections as the API shows them. A secret has no place in any of these."""

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from bascule.connections.check_report import CheckReport
from bascule.connections.examples import CHECK, CONNECTOR, TYPE
from bascule.connections.tables import Connection
from bascule.connections.types.fields import FormField


class ProblemAnswer(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    what: str
    next_step: str
    doctype: str | None = Field(default=None, description="What it is about, if one DocType.")
    roles: list[str] = Field(default=[], description="Roles in ERPNext that would help.")


class CheckAnswer(BaseModel):
    """What the site said when it was asked."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={"example": CHECK},
    )

    ok: bool = Field(description="Signed in, and everything that is wanted may be read.")
    health: str = Field(description="ok: signed in; refused: not let in; down: no site answered.")
    user: str | None
    versions: dict[str, str]
    time_zone: str | None
    readable: dict[str, bool] = Field(description="Each wanted DocType: may it be read?")
    missing: list[str]
    problems: list[ProblemAnswer]
    notes: list[ProblemAnswer] = Field(description="Limits that stand in the way of nothing.")

    @classmethod
    def of(cls, report: CheckReport) -> Self:
        return cls.model_validate(report)


class Connector(BaseModel):
    """A site that the hub knows, without its secret."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"example": CONNECTOR})

    id: UUID
    slug: str = Field(description="Short name, and the name of the mirror's schema.")
    name: str
    group: str = Field(description="What people put it under; empty: nothing.")
    type: str = Field(validation_alias="kind")
    shared: bool = Field(description="With everybody; false: only its owner knows of it.")
    owner_id: int | None = Field(description="The user who connected it; null: the machine.")
    api_url: str
    api_key_ends_with: str = Field(description="The last characters of the key, to tell it by.")
    api_secret_set: bool = True
    allow_http: bool
    ca_bundle: str | None
    max_concurrency: int
    schedule: str
    next_sync_at: datetime | None
    next_verify_at: datetime | None
    sync_inventory: bool
    sync_orders: bool
    sync_suppliers: bool
    lookback_days: int
    proof_days: int = Field(
        description="Within so many nights every row is compared with the site by value."
    )
    warehouse_filter: list[str]
    include_disabled: bool
    left_off: list[str] = Field(
        description="DocTypes that were wanted, and that the hub's user may not read; they are "
        "tried again with `POST .../left-off`."
    )
    health: str = Field(description="unknown, ok, refused or down, when it was last asked.")
    health_detail: str | None
    checked_at: datetime | None
    site_user: str | None
    time_zone: str | None
    versions: dict[str, Any]
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, connection: Connection, **more: Any) -> Self:
        return cls.model_validate({**shown(connection), **more})


def shown(connection: Connection) -> dict[str, Any]:
    """What may be seen of a connection: every column but the credentials."""
    columns = Connection.__table__.columns
    return {c.key: getattr(connection, c.key) for c in columns if not c.info.get("encrypted")}


class Page(BaseModel):
    """Of a list of connections."""

    counts: dict[str, int] = Field(description="State to connections, of all that `search` finds.")
    total: int = Field(description="Connectors that were asked for, on this page or not.")
    next: str | None = Field(description="Send it as `after` for the next page; null at the end.")


class Connectors(Page):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {"connectors": [CONNECTOR], "counts": {"ok": 1}, "total": 1, "next": None}
        }
    )

    connectors: list[Connector]


class ConnectorTypeAnswer(BaseModel):
    """A service that can be connected, with its form."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    label: str
    description: str
    icon: str
    category: str
    words: list[str] = Field(description="Other words that people search it by.")
    available: bool
    coming: str | None = Field(description="When, for one that is not there yet.")
    fields: list[FormField]
    steps: list[str] = Field(description="Where to find what the form asks for.")


class ConnectorTypes(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={"example": {"types": [TYPE], "categories": {"erp": "ERP"}}}
    )

    types: list[ConnectorTypeAnswer]
    categories: dict[str, str] = Field(description="Each category's name, in words.")

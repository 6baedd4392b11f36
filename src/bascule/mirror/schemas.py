"""Streams, runs and their logs as the API shows them."""

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from bascule.connections.examples import CHECK, CONNECTOR
from bascule.connections.frequency import DEFAULT
from bascule.connections.schemas import CheckAnswer, Connector, Page
from bascule.connections.tables import Connection
from bascule.mirror.examples import LINE, RUN, STATUS, STREAM
from bascule.mirror.streams.pending import limits, pending
from bascule.mirror.tables import Stream


class WithheldField(BaseModel):
    doctype: str = Field(description="The stream's, or one of its child tables.")
    field: str
    needs: str = Field(description="What the site's user needs to be given it.")


class StreamAnswer(BaseModel):
    """One DocType of a connection, its child tables included."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"example": STREAM})

    id: int
    doctype: str
    preset: str | None = Field(description="The ready-made group it belongs to; null: any DocType.")
    table_name: str = Field(description="In the connection's schema.")
    enabled: bool
    filters: list[Any] = Field(
        description="`[[field, operator, value], ...]`, all of which must hold.",
        examples=[[["company", "=", "Acme Trading"]]],
    )
    omit: list[str] = Field(description="Fields that are not mirrored.")
    rename: dict[str, Any] = Field(description="Field to column.")
    rows: int
    limits: str = Field(
        default="", description="Which documents `rows` and `proof` are of; empty: all."
    )
    pending: str | None = Field(
        default=None,
        description="What the next sync will do, where filter, look-back or warehouses changed "
        "since the rows here were fetched.",
    )
    last_success_at: datetime | None
    last_verified_at: datetime | None
    verified_equal: bool | None
    proof: str = Field(description="What was compared value by value, and when (UTC).")
    compared_at: datetime | None = Field(description="When a sync last compared it.")
    compared_by: str | None = Field(
        description="What that sync compared: `checksum` (of all values, which the site computes), "
        "`value`, or `count and time`."
    )
    withheld: list[WithheldField] = Field(
        description="Fields that the site does not give to its user, above the permission level or "
        "masked: not compared, and as they were before here."
    )
    last_error: str | None
    last_error_step: str | None = Field(description="What can be done about it.")
    retry_at: datetime | None = Field(
        description="Set while it fails for a reason that only a person can mend: the schedule "
        "does not ask before. A sync by hand asks at once."
    )

    @staticmethod
    def of(stream: Stream, connection: Connection) -> "StreamAnswer":
        """With what follows from its connection's settings."""
        told = StreamAnswer.model_validate(stream)
        told.limits, told.pending = limits(stream), pending(connection, stream)
        return told


class Streams(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"streams": [STREAM]}})

    streams: list[StreamAnswer]


class NewStream(BaseModel):
    """A DocType, or a preset that stands for several."""

    model_config = ConfigDict(extra="forbid")

    doctype: str = Field(min_length=1, max_length=140, examples=["Project", "stock_movements"])


class StreamChange(BaseModel):
    """What is left out stays as it is, so no field has a default to speak of."""

    model_config = ConfigDict(extra="forbid")

    enabled: bool = Field(default_factory=bool)
    filters: list[Any] = Field(
        default_factory=list, max_length=50, examples=[[["company", "=", "Acme Trading"]]]
    )
    omit: list[str] = Field(default_factory=list, max_length=1000, examples=[["description"]])
    rename: dict[str, str] = Field(
        default_factory=dict, max_length=1000, examples=[{"custom_colour": "colour"}]
    )


class RunAnswer(BaseModel):
    """One attempt at one stream."""

    model_config = ConfigDict(from_attributes=True, json_schema_extra={"example": RUN})

    id: int
    connection_id: UUID
    stream_id: int
    doctype: str | None = None
    kind: str = Field(description="sync, full, verify or repair")
    trigger: str = Field(description="What began it: schedule, cli, api, page, webhook or demo.")
    asked_by: str | None = Field(
        default=None, description="Whoever asked; null: nobody, or the machine's owner."
    )
    outcome: str = Field(description="queued, running, done, failed or cancelled")
    attempts: int
    queued_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    seconds: float | None
    expected_rows: int | None
    rows_read: int
    rows_changed: int
    rows_deleted: int
    pages: int
    bytes: int
    report: dict[str, Any] = Field(description="A verify's: what it found.")
    error: str | None
    next_step: str | None


class QuietDay(BaseModel):
    """Runs of a day (UTC) that changed nothing; a day later they are this count and no more."""

    day: date
    runs: int


class Runs(BaseModel):
    """Newest first. `next` is the `before` of the page that follows; null on the last."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "runs": [RUN],
                "next": 42,
                "quiet": [{"day": "2026-03-02", "runs": 1152}],
            }
        }
    )

    runs: list[RunAnswer]
    next: int | None = None
    quiet: list[QuietDay] = Field(
        default=[], description="Runs of days gone by that changed nothing, newest first."
    )


class Cancelled(BaseModel):
    """The runs that were ended, which were all that had not ended."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"runs": [{**RUN, "outcome": "cancelled"}]}}
    )

    runs: list[RunAnswer]


class LogLine(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    at: datetime
    level: str
    message: str


class SaidLine(LogLine):
    run_id: int
    doctype: str


class ConnectorLog(BaseModel):
    """Oldest first: the newest lines that fit."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"lines": [{**LINE, "run_id": 42, "doctype": "Sales Order"}]}}
    )

    lines: list[SaidLine]


class Logs(BaseModel):
    """Oldest first. Ask again with `after` to follow a run; `finished` tells when to stop."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"lines": [LINE], "after": 318, "finished": True}}
    )

    lines: list[LogLine]
    after: int = Field(description="The last line's id: the next `after`.")
    finished: bool


class Started(BaseModel):
    """The runs that were queued, or were under way already."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"run_ids": [42], "runs": [RUN], "finished": True}}
    )

    run_ids: list[int]
    runs: list[RunAnswer]
    finished: bool = Field(description="Every one of them is done or has failed.")


class Setup(BaseModel):
    """A site to connect, with credentials of the user that the hub shall be there."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "name": "Acme Trading",
                "api_url": "https://erp.yourcompany.com",
                "api_key": "1f0c8e1f0c8e1f0",
                "api_secret": "6d5c4b3a6d5c4b3",
                "sync_suppliers": False,
                "lookback_days": 180,
                "warehouse_filter": ["Main Store", "Warehouse 1"],
                "schedule": "every 15 minutes",
            }
        },
    )

    name: str | None = Field(default=None, description="Left out: the site's host name.")
    api_url: str
    api_key: str
    api_secret: str
    slug: str | None = Field(default=None, description="Left out: made from the name.")
    group: str = Field(default="", description="A word to find it by among many.")
    sync_inventory: bool = True
    sync_orders: bool = True
    sync_suppliers: bool = True
    streams: list[str] | None = Field(
        default=None,
        max_length=200,
        description="Presets and DocTypes, instead of what the switches say.",
    )
    lookback_days: int = Field(default=90, description="How old an order may be to be fetched.")
    proof_days: int = Field(
        default=7, description="Within so many nights every row is compared by value."
    )
    warehouse_filter: list[str] = Field(
        default=[], description="Only stock in these; empty: in all."
    )
    include_disabled: bool = Field(
        default=False, description="Also show what ERPNext has disabled."
    )
    schedule: str = Field(
        default=DEFAULT,
        validation_alias=AliasChoices("schedule", "frequency"),
        description="manual, every N minutes, hourly, daily (02:00 UTC), weekly (Sunday), monthly "
        "(the 1st); or with an hour and a time zone: daily at 06:30 Europe/Amsterdam, weekly on "
        "monday, monthly on 15.",
    )
    allow_http: bool = Field(
        default=False, description="Speak plain HTTP to a site not on loopback."
    )
    ca_bundle: str | None = Field(default=None, description="A PEM file on the hub's machine.")
    max_concurrency: int = Field(default=4, description="The most requests at a time.")
    shared: bool | None = Field(
        default=None,
        description="With everybody, which only admins may; false: only you know of it. Left out: "
        "admins share, editors do not.",
    )
    test_connection: bool = Field(default=True, description="Try the credentials before saving.")
    start_sync: bool = Field(default=True, description="Pull everything once now.")


class ConnectorChange(BaseModel):
    """What is left out stays as it is, the secret too; so no field has a default to speak of."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"schedule": "hourly", "sync_suppliers": True}},
    )

    name: str = Field(default_factory=str)
    api_url: str = Field(default_factory=str)
    api_key: str = Field(default_factory=str)
    api_secret: str = Field(default_factory=str)
    slug: str = Field(default_factory=str, description="Cannot be changed; 422 says why.")
    group: str = Field(default_factory=str)
    sync_inventory: bool = Field(default_factory=bool)
    sync_orders: bool = Field(default_factory=bool)
    sync_suppliers: bool = Field(default_factory=bool)
    lookback_days: int = Field(default_factory=int)
    proof_days: int = Field(default_factory=int)
    warehouse_filter: list[str] = Field(default_factory=list)
    include_disabled: bool = Field(default_factory=bool)
    schedule: str = Field(
        default_factory=str, validation_alias=AliasChoices("schedule", "frequency")
    )
    allow_http: bool = Field(default_factory=bool)
    ca_bundle: str | None = Field(default_factory=lambda: None)
    max_concurrency: int = Field(default_factory=int)
    shared: bool = Field(default_factory=bool, description="false: you become its owner.")
    test_connection: bool = Field(
        default=True, description="Try a changed way in before saving it."
    )


class SetupAnswer(Connector):
    """The connection, what its site said, and the runs of its first sync."""

    model_config = ConfigDict(
        json_schema_extra={"example": {**CONNECTOR, "check": CHECK, "run_ids": [1, 2, 3]}}
    )

    check: CheckAnswer | None
    run_ids: list[int]


class SyncRequest(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"connector_id": "acme_trading", "streams": ["inventory"]}},
    )

    connector_id: str | None = Field(
        default=None, max_length=100, description="Id or slug; left out: every connection."
    )
    streams: list[str] | None = Field(
        default=None, max_length=1000, description="DocTypes or presets; left out: all that are on."
    )
    full: bool = Field(default=False, description="Fetch everything anew, not only what changed.")
    debug: bool = Field(
        default=False, description="Let the runs' logs tell the SQL that the site ran for them."
    )
    wait: int = Field(
        default=0, ge=0, le=300, description="Seconds to wait for the runs to end before answering."
    )


class VerifyRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"repair": True}})

    streams: list[str] | None = Field(default=None, max_length=1000)
    repair: bool = Field(default=False, description="Also mend what differs.")
    debug: bool = Field(default=False, description="As of a sync.")
    wait: int = Field(default=0, ge=0, le=300)


class Attention(BaseModel):
    """Something of a connection that somebody has to look at, and what mends it."""

    kind: Literal["refused", "down", "failed", "differs", "late"] = Field(
        description="refused or down: the site; failed: streams' last runs; differs: streams that "
        "were found to differ from the site; late: its time to sync has passed."
    )
    what: str
    next_step: str
    streams: list[str] = Field(description="The DocTypes it is about; empty: the whole connection.")
    mend: Literal["credentials", "test", "rights", "sync", "repair"] = Field(
        description="What mends it: other credentials, another test, roles for the site's user and "
        "then a sync, a sync, or a repair."
    )


class ConnectorStatus(BaseModel):
    connector_id: UUID
    slug: str
    name: str
    group: str = Field(description="What people put it under; empty: nothing.")
    type: str
    status: str = Field(
        description="ok; syncing; queued: to be synced, but no worker is running; failed: a "
        "stream's last run did; differs: from the site, as a proof found; waiting: nothing came "
        "yet; refused or down: what the site said last."
    )
    last_sync_at: datetime | None = Field(description="When a stream was last pulled.")
    next_sync_at: datetime | None
    paused_until: datetime | None = Field(
        description="Nobody gets through to the site, so it is left alone until then, and tried "
        "again before the next sync; null: it is not."
    )
    schedule: str
    records: int = Field(description="Live rows here, all streams together.")
    record_counts: dict[str, int] = Field(description="DocType to live rows.")
    health: str
    health_detail: str | None
    verified_at: datetime | None = Field(
        description="When the stream whose proof is oldest was compared with the site."
    )
    verified_equal: bool | None = Field(
        description="Every stream that was compared was equal; null: none was yet."
    )
    proof: str = Field(description="What was compared value by value, and when (UTC).")
    compared_at: datetime | None = Field(
        description="When the stream that was longest not compared was, at a sync."
    )
    compared_by: str | None = Field(
        description="What syncs compare: `checksum`, `value` or `count and time`, the least of all."
    )
    problems: list[dict[str, str]] = Field(description="Stream, what went wrong, next step.")
    attention: list[Attention]


class StatusAnswer(Page):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {"connectors": [STATUS], "counts": {"ok": 1}, "total": 1, "next": None}
        }
    )

    connectors: list[ConnectorStatus]

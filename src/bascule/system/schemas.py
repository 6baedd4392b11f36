"""The status of the hub as the API returns it. Sizes are bytes, times UTC."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from bascule.jobs.registry import Work


class SchemaSize(BaseModel):
    name: str = Field(
        examples=["acme_trading"],
        description="(private): those of connections that are somebody else's alone, together.",
    )
    connection: str | None = Field(
        description="The connection whose mirror it is; null: the hub's own, or somebody else's."
    )
    bytes: int


class DatabaseAnswer(BaseModel):
    kind: str = Field(description="embedded or own.", examples=["embedded"])
    version: str = Field(examples=["18.4"])
    bytes: int | None = Field(description="null: it took too long to measure.")
    disk_free_bytes: int | None = Field(description="null: the disk is not the hub's to look at.")
    disk_bytes: int | None
    schemas: list[SchemaSize] = Field(description="The largest first.")


class ProcessAnswer(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    host: str
    pid: int
    roles: list[str] = Field(description="web, worker, or both.")
    version: str
    rss_bytes: int | None = Field(description="Resident memory.")
    started_at: datetime
    seen_at: datetime = Field(description="When it was heard of last; it tells every 10 seconds.")


class BacklogAnswer(BaseModel):
    work: str = Field(description="The class of work; the most urgent first.", examples=["people"])
    waiting: int = Field(description="Jobs that would begin at once if a place were free.")
    oldest_at: datetime | None
    running: int


class UnsentAnswer(BaseModel):
    records: int = Field(description="With an edit that ERPNext does not have yet.")
    oldest_at: datetime | None


class CertificateAnswer(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    host: str
    ends_at: datetime | None
    days_left: int | None
    error: str | None


class NewsAnswer(BaseModel):
    version: str
    changes: list[str]


class SystemAnswer(BaseModel):
    """How the hub itself is."""

    at: datetime
    version: NewsAnswer
    database: DatabaseAnswer
    processes: list[ProcessAnswer] = Field(description="Those that were heard of lately.")
    worker_alive: bool
    worker_at: datetime | None = Field(description="When any worker was heard of last.")
    queue: list[BacklogAnswer]
    holders: str = Field(description="Who holds the workers' places, in words.")
    unsent: UnsentAnswer
    certificate: CertificateAnswer | None = Field(
        description="Of BASCULE_PUBLIC_URL; null where that is none of https."
    )


CLASSES = {
    Work.CLOCK: "what a clock starts",
    Work.PEOPLE: "edits and webhooks",
    Work.SOON: "what somebody waits for",
    Work.RUNS: "syncs of mirrors",
    Work.HOUSEKEEPING: "housekeeping",
}

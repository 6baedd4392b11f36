"""The status of the hub as the API returns it. Sizes are bytes, times UTC."""

from datetime import datetime
from typing import Any

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


SYSTEM: dict[str, Any] = {
    "at": "2026-11-30T03:25:37Z",
    "version": {"version": "0.1.0", "changes": ["An embedded PostgreSQL, or yours."]},
    "database": {
        "kind": "embedded",
        "version": "18.4",
        "bytes": 21495808,
        "disk_free_bytes": 89551355904,
        "disk_bytes": 135022120960,
        "schemas": [
            {"name": "acme_trading", "connection": "Acme Trading", "bytes": 6922240},
            {"name": "bascule", "connection": None, "bytes": 1679360},
        ],
    },
    "processes": [
        {
            "host": "hub",
            "pid": 6631,
            "roles": ["web", "worker"],
            "version": "0.1.0",
            "rss_bytes": 194719744,
            "started_at": "2026-11-30T02:28:02Z",
            "seen_at": "2026-11-30T03:25:32Z",
        }
    ],
    "worker_alive": True,
    "worker_at": "2026-11-30T03:25:36Z",
    "queue": [{"work": "people", "waiting": 0, "oldest_at": None, "running": 0}],
    "holders": "nobody",
    "unsent": {"records": 0, "oldest_at": None},
    "certificate": None,
}


class SystemAnswer(BaseModel):
    """How the hub itself is."""

    model_config = ConfigDict(json_schema_extra={"example": SYSTEM})

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

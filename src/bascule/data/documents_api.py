"""What there is to read of a connection, and its documents one by one, over HTTP."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from bascule.accounts.access import TheHub
from bascule.connections.api import TO_READ, TheConnection
from bascule.data.catalogue import mirrored
from bascule.data.documents import Document, find_document
from bascule.mirror.examples import RELATIONS
from bascule.mirror.schemas import WithheldField
from bascule.mirror.streams.settings import streams_of
from bascule.sites.kept import Kept, kept_of

router = APIRouter(prefix="/api/connectors/{connector}", tags=["Rows"], dependencies=TO_READ)
DocType = Annotated[
    str, Path(description="A DocType or its table.", max_length=200, examples=["Item"])
]
Name = Annotated[
    str,
    Path(description="The document's name; a slash in it as it is, or as `%2F`.", max_length=500),
]


class RelationAnswer(BaseModel):
    """A view or a table that `GET /rows/{relation}` reads."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    doctype: str = Field(description="What it has a row of.")
    view: bool
    child: bool = Field(description="Its rows belong to documents of other DocTypes.")
    rows: int | None = Field(
        description="Of a DocType's documents as its last run counted them; of child rows as "
        "PostgreSQL guesses; null: not known."
    )
    guessed: bool


class Relations(BaseModel):
    """Views first, then tables by their DocType."""

    model_config = ConfigDict(json_schema_extra={"example": {"relations": RELATIONS}})

    relations: list[RelationAnswer]


class HistoryAnswer(BaseModel):
    """The hub keeps the newest version of a document, and when it came."""

    written_at: datetime | None = Field(description="When it was last written here.")
    written_by_run: int | None
    deleted_at: datetime | None = Field(description="When the hub noticed that it is gone there.")
    deleted_by_run: int | None
    last_pulled_at: datetime | None = Field(description="When its DocType was last pulled.")
    last_verified_at: datetime | None = Field(description="And compared with the site as a whole.")
    verified_equal: bool | None


class DocumentAnswer(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "doctype": "Sales Order",
                "name": "SAL-ORD-2026-00012",
                "document": {"customer": "Gracht Cycles", "grand_total": 1320.0},
                "children": {"items": [{"idx": 1, "item_code": "BIKE-01", "qty": 2.0}]},
                "incomplete": [],
                "withheld": [],
                "url": "https://erp.yourcompany.com/app/sales-order/SAL-ORD-2026-00012",
                "kept": None,
                "history": {
                    "written_at": "2026-11-20T22:30:40Z",
                    "written_by_run": 42,
                    "deleted_at": None,
                    "deleted_by_run": None,
                    "last_pulled_at": "2026-11-20T23:00:01Z",
                    "last_verified_at": "2026-11-20T03:00:09Z",
                    "verified_equal": True,
                },
            }
        }
    )

    doctype: str
    name: str
    document: dict[str, Any] = Field(description="Every column of its row.")
    children: dict[str, list[dict[str, Any]]] = Field(description="Table field to rows.")
    incomplete: list[str] = Field(
        description="Table fields with more rows than the 1,000 that are here; "
        "`GET /rows/{table}?parent=...` has them all."
    )
    withheld: list[WithheldField] = Field(
        description="Fields of it that the site does not give to its user: what is here of them is "
        "from before, or null."
    )
    url: str = Field(description="The document in ERPNext.")
    kept: str | None = Field(
        description="Where the record is that two-way sync keeps the same with it, whose "
        "`/history` has every value."
    )
    history: HistoryAnswer

    @classmethod
    def of(cls, found: Document, kept: Kept | None) -> "DocumentAnswer":
        past = found.history
        return cls(
            doctype=found.doctype,
            name=found.name,
            document=found.values,
            children={child.field: child.rows for child in found.children},
            incomplete=[child.field for child in found.children if not child.complete],
            withheld=[WithheldField.model_validate(one) for one in found.withheld],
            url=found.url,
            kept=f"/api{kept.page}" if kept else None,
            history=HistoryAnswer(
                written_at=past.synced_at,
                written_by_run=past.written_by.id if past.written_by else None,
                deleted_at=past.deleted_at,
                deleted_by_run=past.deleted_by.id if past.deleted_by else None,
                last_pulled_at=past.stream.last_success_at if past.stream else None,
                last_verified_at=past.stream.last_verified_at if past.stream else None,
                verified_equal=past.stream.verified_equal if past.stream else None,
            ),
        )


@router.get("/rows")
async def relations(hub: TheHub, connection: TheConnection) -> Relations:
    """The views and tables of a connection."""
    async with hub.db.session() as session:
        streams = await streams_of(session, connection)
    async with hub.db.connection() as conn:
        found = await mirrored(conn, connection.slug, streams)
    return Relations(relations=[RelationAnswer.model_validate(one) for one in found])


@router.get("/documents/{doctype}/{name:path}")
async def document(
    hub: TheHub, connection: TheConnection, doctype: DocType, name: Name
) -> DocumentAnswer:
    """One document with its child tables, and what the hub knows of its past. One that was deleted
    on the site is still here, with `_deleted_at`.
    """
    found = await find_document(hub, connection, doctype, name)
    async with hub.db.session() as session:
        kept = await kept_of(session, connection, found.doctype, found.name)
    return DocumentAnswer.of(found, kept)

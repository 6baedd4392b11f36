"""What needs somebody, over HTTP: the same as the first page tells."""

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from bascule.accounts.access import MayRead, TheHub
from bascule.attention.items import AttentionItem, Kind, attention_items_of

router = APIRouter(prefix="/api/needs", tags=["Needs attention"])


class OtherOfSameCause(BaseModel):
    """Something else that has the same cause."""

    name: str
    what: str
    page: str
    mend: str | None
    command: str


class AttentionItemAnswer(BaseModel):
    """Something that somebody has to look at."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "kind": "webhooks",
                "name": "Acme Trading",
                "what": "Customer (when one is changed) is switched off on the site.",
                "next_step": "Mend them, which sets them up again.",
                "page": "/connectors/acme_trading/webhooks",
                "mend": "Mend the webhooks",
                "command": "bascule webhooks fix --connection acme_trading",
                "also": [],
            }
        }
    )

    kind: Kind = Field(
        description="worker: none is running; queue: what waits for a worker's place waits for too "
        "long; refused, down: a site; failed: runs, or records that ERPNext does not take; "
        "conflict; webhooks; late: a schedule stands still; differs: the mirror from its site; "
        "expiring: a token, or an API secret that is old; waiting: tried again by itself."
    )
    name: str = Field(description="What it is about.")
    what: str
    next_step: str
    page: str = Field(
        description="The hub's page that says more, and where it can be mended; empty: none does."
    )
    mend: str | None = Field(description="What you can do about it there; null: look at it.")
    command: str = Field(description="What to type instead on the hub's machine; may be empty.")
    also: list[OtherOfSameCause] = Field(
        description="The others that have the same cause, such as connections to one server."
    )

    @classmethod
    def of(cls, need: AttentionItem) -> "AttentionItemAnswer":
        return cls(
            kind=need.kind,
            name=need.name,
            what=need.what,
            next_step=need.next_step,
            page=need.page,
            mend=need.mend.label if need.mend else None,
            command=need.command,
            also=[
                OtherOfSameCause(
                    name=one.name,
                    what=one.what,
                    page=one.page,
                    mend=one.mend.label if one.mend else None,
                    command=one.command,
                )
                for one in need.also
            ],
        )


class AttentionItems(BaseModel):
    needs: list[AttentionItemAnswer] = Field(description="The most urgent first.")


@router.get("", name="needs")
async def needs(hub: TheHub, user: MayRead) -> AttentionItems:
    """What needs attention, in all that you may see: sites, runs, records, webhooks, credentials.
    Asks no site.
    """
    async with hub.db.session() as session:
        return AttentionItems(
            needs=[
                AttentionItemAnswer.of(need)
                for need in await attention_items_of(hub, session, user)
            ]
        )

"""What was left off a connection, tried again over HTTP; see `left_off`."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from bascule.accounts.access import TheHub
from bascule.connections.api import TheConnection
from bascule.mirror.dependencies import MaySync
from bascule.mirror.streams.left_off import try_again

router = APIRouter(prefix="/api/connectors/{connector}/left-off", tags=["Streams"])
NONE_LEFT: dict[int | str, dict[str, Any]] = {
    404: {"description": "There is no such connection, or nothing was left off it."},
    400: {"description": "The site refused it; what it says is in `detail`."},
    502: {"description": "The site did not answer as one."},
}


class TriedLeftOff(BaseModel):
    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "example": {"added": ["Supplier"], "left_off": ["Item Price"], "run_ids": [42]}
        },
    )

    added: list[str] = Field(description="DocTypes that are streams now.")
    left_off: list[str] = Field(description="Those that may still not be read.")
    run_ids: list[int] = Field(description="Of their first pull.")


@router.post("", responses=NONE_LEFT)
async def try_left_off(hub: TheHub, user: MaySync, connection: TheConnection) -> TriedLeftOff:
    """Asks the site for what was wanted of this connection and left off, because its user might not
    read it: what may be read by now becomes a stream and is pulled.
    """
    tried = await try_again(hub, connection, by=user, trigger="api")
    return TriedLeftOff.model_validate(tried)

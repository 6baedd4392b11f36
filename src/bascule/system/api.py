"""The status of the hub over HTTP."""

from fastapi import APIRouter

from bascule.accounts.access import TheHub
from bascule.system.dependencies import MayReadSystem
from bascule.system.schemas import SystemAnswer
from bascule.system.status import look

router = APIRouter(tags=["System"])


@router.get("/api/system", name="system")
async def system(hub: TheHub, user: MayReadSystem) -> SystemAnswer:
    """Sizes, memory, workers, what waits for them, edits that are not sent, the certificate of the
    public address, and what is new in this version. Asks no site.
    """
    return await look(hub, user)

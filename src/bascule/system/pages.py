"""The page *System*."""

from fastapi import APIRouter, Request, Response

from bascule.accounts.access import TheHub
from bascule.system.dependencies import MayReadSystem
from bascule.system.schemas import CLASSES
from bascule.system.status import look
from bascule.ui import render

pages = APIRouter(include_in_schema=False)


@pages.get("/system")
async def system_page(request: Request, hub: TheHub, user: MayReadSystem) -> Response:
    words = {work.name.lower(): said for work, said in CLASSES.items()}
    return render(request, "system/system.html", system=await look(hub, user), words=words)

"""A log as a page shows it, and as a file: of one run, or of all that a connection's runs said."""

from collections.abc import AsyncGenerator
from datetime import UTC

from fastapi import APIRouter, Depends, Request, Response

from bascule.accounts.access import MayRead, TheHub
from bascule.accounts.downloads import Download
from bascule.accounts.tables import User
from bascule.audit.entries import recorded
from bascule.connections.api import TheConnection
from bascule.connections.tables import Connection
from bascule.hub import Hub
from bascule.mirror.runs.logs import SHOWN, Level, Words, all_lines, newest_of_connection
from bascule.mirror.tables import Run
from bascule.ui import render

pages = APIRouter(prefix="/connectors/{connector}", include_in_schema=False)


@pages.get("/log")
async def log_page(
    request: Request,
    hub: TheHub,
    user: MayRead,
    connection: TheConnection,
    level: Level = "info",
    words: Words = "",
) -> Response:
    async with hub.db.session() as session:
        lines = await newest_of_connection(session, connection, level=level, words=words)
    return render(
        request,
        "mirror/log.html",
        connection=connection,
        lines=lines,
        shown=SHOWN,
        level=level,
        words=words,
    )


@pages.get("/log.txt", dependencies=[Depends(recorded)])
async def download_log_of_connector(
    hub: TheHub, user: MayRead, connection: TheConnection
) -> Response:
    return text_file(hub, user, connection, f"{connection.slug}-log.txt")


def text_file(hub: Hub, user: User, of: Run | Connection, name: str) -> Download:
    """A line each, whose further lines are indented."""
    headers = {"Cache-Control": "no-store"}
    kind = "text/plain; charset=utf-8"
    return Download(hub, user, _text(hub, of), name=name, media_type=kind, headers=headers)


async def _text(hub: Hub, of: Run | Connection) -> AsyncGenerator[str]:
    async for line in all_lines(hub, of):
        at = line.at.astimezone(UTC).isoformat(" ", "milliseconds").replace("+00:00", "Z")
        about = f"{line.doctype}: " if isinstance(of, Connection) else ""
        message = line.message.replace("\r", "").replace("\n", "\n    ")
        yield f"{at} {line.level:7} {about}{message}\n"

"""A site, a hub over a real PostgreSQL, and runs carried out in this process."""

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import quote

import pytest
from psycopg import sql

from bascule.connections.tables import Connection
from bascule.hub import Hub
from bascule.job_modules import JOB_MODULES
from bascule.jobs import load
from bascule.mirror.pull.survey import survey
from bascule.mirror.runs.execution import carry_out, run_of
from bascule.mirror.runs.start import start_runs
from bascule.mirror.setup import set_up
from bascule.mirror.tables import Run, Stream
from bascule.sites.fields import NewConnection


class Mirrored:
    """A connected site: what is done there, and what is here."""

    def __init__(self, hub: Hub, site: Any, connection: Connection) -> None:
        self.hub, self.site, self.connection = hub, site, connection

    async def sync(self, *names: str, kind: str = "sync", trigger: str = "cli") -> list[Run]:
        ids = await start_runs(
            self.hub, self.connection, names=list(names) or None, kind=kind, trigger=trigger
        )
        runs = []
        for run_id in ids:
            await carry_out(self.hub, run_id)
            async with self.hub.db.session() as session:
                runs.append(await run_of(session, run_id, None))
        return runs

    async def sync_together(self, *names: str, trigger: str = "cli") -> dict[str, str]:
        """Streams as a worker syncs them: what the look at all of them left is synced one by
        one. How each stream was synced, by its DocType: "together", "apart", or how it failed.
        """
        ids = await start_runs(self.hub, self.connection, names=list(names), trigger=trigger)
        await survey(self.hub, self.connection.id, ids)
        said = {}
        for run_id in ids:
            before = await self.run(run_id)
            if before.outcome == "queued":
                await carry_out(self.hub, run_id)
            run = await self.run(run_id)
            name = await self.doctype(run)
            done = "together" if before.outcome == "done" else "apart"
            said[name] = done if run.outcome == "done" else str(run.error)
        return said

    async def run(self, run_id: int) -> Run:
        async with self.hub.db.session() as session:
            return await run_of(session, run_id, None)

    async def doctype(self, run: Run) -> str:
        async with self.hub.db.session() as session:
            stream = await session.get(Stream, run.stream_id)
            assert stream is not None
            return stream.doctype

    async def rows(self, table: str, *columns: str, where: str = "true") -> list[tuple[Any, ...]]:
        query = sql.SQL("SELECT {} FROM {} WHERE _deleted_at IS NULL AND {} ORDER BY 1").format(
            sql.SQL(", ").join(map(sql.Identifier, columns)),
            sql.Identifier(self.connection.slug, table),
            sql.SQL(where),
        )
        async with self.hub.db.connection() as conn:
            return await (await conn.execute(query)).fetchall()

    async def execute(self, statement: str) -> None:
        async with self.hub.db.connection() as conn:
            await conn.execute(statement.replace("mirror.", f'"{self.connection.slug}".'))

    async def execute_rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        async with self.hub.db.connection() as conn:
            return await (await conn.execute(query, list(values))).fetchall()

    async def ask(self, method: str, path: str, body: Any = None, *, user: Any = None) -> Any:
        """Someone else at work on the site."""
        return await asyncio.to_thread(self._ask, method, path, body, user or self.site)

    def _ask(self, method: str, path: str, body: Any, user: Any) -> Any:
        request = urllib.request.Request(
            self.site.url + quote(path, safe="/?&=%"),
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={
                "Authorization": f"token {user.api_key}:{user.api_secret}",
                "Content-Type": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())

    async def site_rows(self, doctype: str, *fields: str) -> list[tuple[Any, ...]]:
        answer = await self.ask(
            "POST",
            "/api/method/frappe.client.get_list",
            {
                "doctype": doctype,
                "fields": list(fields),
                "limit_page_length": 0,
                "as_dict": False,
                "order_by": "name asc",
            },
        )
        return sorted(tuple(row) for row in answer["message"])


@pytest.fixture
async def mirrored(hub: Hub, erpnext_sandbox_factory: Any) -> AsyncIterator[Callable[..., Any]]:
    load(JOB_MODULES)

    async def connect(**values: Any) -> Mirrored:
        site = values.pop("site", None) or erpnext_sandbox_factory(values.pop("snapshot", None))
        user = site.users[values.pop("user", "hub")]
        new = NewConnection(
            name="Spaak",
            api_url=site.url,
            api_key=user.api_key,
            api_secret=user.api_secret,
            **values,
        )
        connection, _, _ = await set_up(hub, new, by=None, start=False, trigger="cli")
        return Mirrored(hub, site, connection)

    yield connect

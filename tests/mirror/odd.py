"""DocTypes and rows that no ordinary site has, made on the sandbox."""

import asyncio
import json
import urllib.request
from collections.abc import Sequence
from typing import Any

from tests.mirror.following import log_of


async def make_doctype(
    mirror: Any, name: str, fields: Sequence[tuple[str, ...]], **more: Any
) -> None:
    """A custom DocType that every user of the hub's kind may use; `fields`: fieldname, fieldtype
    and, where it has some, options.
    """
    rights = ("read", "write", "create", "delete")
    definition = {
        "name": name,
        "module": "Core",
        "custom": 1,
        "fields": [
            dict(zip(("fieldname", "fieldtype", "options"), one, strict=False), label=one[0])
            for one in fields
        ],
        "permissions": [{"role": "System Manager", **dict.fromkeys(rights, 1)}],
        **more,
    }
    await as_administrator(mirror, "/api/resource/DocType", definition)


async def as_administrator(mirror: Any, path: str, body: Any, method: str = "POST") -> Any:
    admin = mirror.site.users["admin"]
    request = urllib.request.Request(
        mirror.site.url + path,
        method=method,
        data=json.dumps(body).encode(),
        headers={
            "Authorization": f"token {admin.api_key}:{admin.api_secret}",
            "Content-Type": "application/json",
        },
    )

    def send() -> Any:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())

    return await asyncio.to_thread(send)


async def document(mirror: Any, doctype: str, **values: Any) -> str:
    made = await mirror.ask("POST", f"/api/resource/{doctype}", values)
    return str(made["data"]["name"])


def by_sql(mirror: Any, statement: str, *values: Any) -> None:
    """What somebody does to the site's database, past Frappe."""
    mirror.site.site.tables.run(statement, values)


async def type_of(mirror: Any, table: str, column: str) -> str:
    async with mirror.hub.db.connection() as conn:
        found = await conn.execute(
            "SELECT data_type FROM information_schema.columns"
            " WHERE table_schema = %s AND table_name = %s AND column_name = %s",
            [mirror.connection.slug, table, column],
        )
        row = await found.fetchone()
    assert row, f"{table} has no column {column}"
    return str(row[0])


async def done(mirror: Any, *names: str, kind: str = "sync") -> list[str]:
    """A run that ends well; what its log says."""
    said = []
    for run in await mirror.sync(*names, kind=kind):
        assert run.outcome == "done", run.error
        said += await log_of(mirror, run)
    return said

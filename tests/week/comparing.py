"""Every value of every row of the mirror beside what single GETs of the site give."""

import asyncio
import json
import re
from collections import Counter
from datetime import datetime
from typing import Any
from urllib.parse import quote

import aiohttp
from psycopg import sql
from yarl import URL

from bascule.hub import Hub
from tests.week.the_site import Row, WeekSite

_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?")
_TIME = re.compile(r"(\d+):(\d\d):(\d\d?(?:\.\d+)?)")
_AT_ONCE = 4


async def differing(
    hub: Hub, slug: str, site: WeekSite, doctypes: list[str]
) -> tuple[Counter[str], int]:
    """`DocType.column` -> in how many rows it differs; `DocType (missing)`, `DocType (left over)`;
    and how many values were compared.

    Child rows count under their own DocType.
    """
    found: Counter[str] = Counter()
    values = 0
    limit = asyncio.Semaphore(_AT_ONCE)
    gone = await _gone(hub)
    async with aiohttp.ClientSession(headers=site.headers) as http:
        for doctype in doctypes:
            names = await _names(http, site, doctype)
            reads = [_read(http, site, limit, doctype, name) for name in names]
            documents = [one for one in await asyncio.gather(*reads) if one is not None]
            wanted: dict[str, dict[str, Row]] = {doctype: {}}
            for document in documents:
                _spread(document, wanted)
            for kind, rows in wanted.items():
                here = await _mirrored(hub, slug, kind, None if kind == doctype else doctype)
                if here is not None:
                    differ, compared = _compared(kind, rows, here, gone)
                    found += differ
                    values += compared
    return found, values


async def _gone(hub: Hub) -> set[str]:
    """The fields that the hub has said the site dropped, whose columns stay as they were."""
    async with hub.db.connection() as conn:
        told = await conn.execute(
            "SELECT jsonb_array_elements_text(cursor -> 'gone') FROM bascule.streams"
        )
        return {name for (name,) in await told.fetchall()}


async def _names(http: aiohttp.ClientSession, site: WeekSite, doctype: str) -> list[str]:
    asked = {"doctype": doctype, "fields": ["name"], "limit_page_length": 0}
    url = f"{site.url}/api/method/frappe.client.get_list"
    async with http.post(url, json=asked) as answer:
        told = await answer.json()
        assert answer.status == 200, (doctype, told)
        return [row["name"] for row in told["message"]]


async def _read(
    http: aiohttp.ClientSession,
    site: WeekSite,
    limit: asyncio.Semaphore,
    doctype: str,
    name: str,
) -> Row | None:
    path = f"/api/resource/{quote(doctype, safe='')}/{quote(name, safe='')}"
    async with limit, http.get(URL(site.url + path, encoded=True)) as answer:
        assert answer.status in (200, 404), (doctype, name, answer.status)
        return (await answer.json())["data"] if answer.status == 200 else None


def _spread(document: Row, wanted: dict[str, dict[str, Row]]) -> None:
    wanted.setdefault(document["doctype"], {})[document["name"]] = document
    for value in document.values():
        if isinstance(value, list):
            for row in value:
                if isinstance(row, dict) and "doctype" in row:
                    _spread(row, wanted)


async def _mirrored(hub: Hub, slug: str, doctype: str, parent: str | None) -> dict[str, Row] | None:
    """The live rows of a table by name; of a child table those of `parent`. None: no such table."""
    table = doctype.replace(" ", "_").lower()
    async with hub.db.connection() as conn:
        there = await conn.execute("SELECT to_regclass(format('%%I.%%I', %s::text, %s::text))",
                                   (slug, table))  # fmt: skip
        if (await there.fetchone() or (None,))[0] is None:
            return None
        where: sql.Composable = sql.SQL("_deleted_at IS NULL")
        if parent is not None:
            where += sql.SQL(" AND parenttype = {}").format(sql.Literal(parent))
        rows = await conn.execute(
            sql.SQL("SELECT row_to_json(t)::text FROM {} t WHERE {}").format(
                sql.Identifier(slug, table), where
            )
        )
        read = [json.loads(row[0]) async for row in rows]
    return {row["name"]: row for row in read}


def _compared(
    doctype: str, wanted: dict[str, Row], here: dict[str, Row], gone: set[str]
) -> tuple[Counter[str], int]:
    found: Counter[str] = Counter()
    values = 0
    has = {column for row in wanted.values() for column in row}
    if missing := len(wanted.keys() - here.keys()):
        found[f"{doctype} (missing)"] = missing
    if left := len(here.keys() - wanted.keys()):
        found[f"{doctype} (left over)"] = left
    for name in wanted.keys() & here.keys():
        for column, value in here[name].items():
            if f"{doctype}.{column}" in gone and column not in has:
                continue
            if column.startswith("_"):
                continue
            values += 1
            if plain(value) != plain(wanted[name].get(column)):
                found[f"{doctype}.{column}"] += 1
    return found, values


def plain(value: Any) -> Any:
    """The value without how it is written: moments, times, numbers; nothing is an empty text."""
    if value is None or value == "":
        return None
    if isinstance(value, bool | int | float):
        return round(float(value), 6)
    text = str(value)
    if _MOMENT.fullmatch(text):
        return datetime.fromisoformat(text)
    if match := _TIME.fullmatch(text):
        return int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3])
    return text

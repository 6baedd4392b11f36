"""A server that stands for a site of many DocTypes, every other one with a child table.

What it answers has the shape of Frappe's answers to the requests that a mirror makes. So many
requests are worked on at once, each for so long: the time that a real site takes for one over its
database. It keeps the bodies of the lists that it was asked for, and tells them.
"""

import argparse
import asyncio
import json
from functools import reduce
from operator import xor
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from bench.replay import serve

AT_ONCE = 2  # as a site of two processes
ROWS = 3
FIELDS = 20
MODIFIED = "2026-01-01 10:00:00.000000"
STANDARD = {"creation": MODIFIED, "modified": MODIFIED, "docstatus": 0, "idx": 0}


def _row(name: str, parent: str | None = None, doctype: str | None = None) -> dict[str, object]:
    child = {"parent": parent, "parenttype": doctype, "parentfield": "rows"} if parent else {}
    values = {f"data_{n}": f"{name} {n}" for n in range(FIELDS)}
    return {"name": name, "owner": "Administrator", **STANDARD, **child, **values}


class Site:
    def __init__(self, doctypes: int, seconds: float) -> None:
        self.seconds = seconds
        self.places = asyncio.Semaphore(AT_ONCE)
        self.lists: list[dict[str, object]] = []
        self.rows: dict[str, list[dict[str, object]]] = {}
        self.family: dict[str, str] = {}
        for number in range(doctypes):
            doctype = f"Thing {number:03}"
            self.rows[doctype] = [_row(f"{doctype} {n}") for n in range(ROWS)]
            if number % 2:
                child = self.family[doctype] = f"{doctype} Row"
                parents = [str(row["name"]) for row in self.rows[doctype]]
                self.rows[child] = [_row(f"{parent} r", parent, doctype) for parent in parents]

    def application(self) -> web.Application:
        app = web.Application(client_max_size=2**24)
        app.add_routes(
            [
                web.post("/api/method/frappe.client.get_list", self.get_list),
                web.get("/api/method/frappe.auth.get_logged_user", _said("hub@shop.test")),
                web.get("/api/method/frappe.client.get_time_zone", _said({"time_zone": "UTC"})),
                web.get(
                    "/api/method/frappe.utils.change_log.get_versions",
                    _said({"frappe": {"version": "15.90.0"}}),
                ),
                web.get("/api/method/ping", _said("pong")),
                web.get("/api/v2/doctype/{name}/meta", self.meta),
                web.post("/bench", self.bench),
            ]
        )
        return app

    async def _work(self) -> None:
        async with self.places:
            await asyncio.sleep(self.seconds)

    async def meta(self, request: web.Request) -> web.Response:
        await self._work()
        name = request.match_info["name"]
        fields = [{"fieldname": f"data_{n}", "fieldtype": "Data"} for n in range(FIELDS)]
        if child := self.family.get(name):
            fields.append({"fieldname": "rows", "fieldtype": "Table", "options": child})
        istable = int(name in self.family.values())
        definition = {"name": name, "istable": istable, "fields": fields, "permissions": []}
        return web.json_response({"data": definition})

    async def get_list(self, request: web.Request) -> web.Response:
        asked = json.loads(await request.read())
        self.lists.append(asked)
        await self._work()
        return web.json_response({"message": self._listed(asked)})

    def _listed(self, asked: dict[str, Any]) -> list[object]:
        doctype, fields = str(asked["doctype"]), list(asked["fields"])
        if doctype == "DocType":
            return [{"name": name, "modified": MODIFIED} for name in self.rows]
        rows = self.rows.get(doctype, [])
        for field, operator, value in asked.get("filters") or []:
            rows = [row for row in rows if _fits(row.get(field), operator, value)]
        sums = [reduce(xor, (_checksum(row) for row in rows), 0)]
        if fields[0].startswith("count("):
            told = {"total": len(rows)}
            return [told | ({"_checksum": sums[0]} if len(fields) > 1 else {})]
        if str(asked.get("order_by", "")).endswith("desc"):
            rows = rows[::-1]
        rows = rows[: int(asked["limit_page_length"]) or None]
        values = [[_value(row, field) for field in fields] for row in rows]
        if asked.get("as_dict", True):
            names = [field.rpartition(" as ")[2] for field in fields]
            return [dict(zip(names, row, strict=True)) for row in values]
        return list(values)

    async def bench(self, request: web.Request) -> web.Response:
        """What lists were asked for since the last time."""
        await request.read()
        lists, self.lists = self.lists, []
        return web.json_response({"lists": lists})


def _fits(value: object, operator: str, wanted: Any) -> bool:
    if operator == "in":
        return value in wanted
    how = {"=": "__eq__", ">": "__gt__", "<": "__lt__", ">=": "__ge__", "<=": "__le__"}[operator]
    return bool(getattr(str(value), how)(str(wanted)))


def _value(row: dict[str, object], field: str) -> object:
    return _checksum(row) if field.endswith(" as _checksum") else row.get(field)


def _checksum(row: dict[str, object]) -> int:
    return sum(map(ord, str(row["name"])))


def _said(message: object) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"message": message})

    return answer


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--doctypes", type=int, default=388)
    parser.add_argument("--seconds", type=float, default=0.015)
    given = parser.parse_args()
    asyncio.run(serve(Site(given.doctypes, given.seconds).application()))

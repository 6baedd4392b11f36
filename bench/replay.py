"""A site that only answers: prepared rows, cut out and joined, in a process of its own.

What it answers has the shape of Frappe's answers to the requests that a mirror makes. It counts
requests, keeps the bodies of those for pages, and can be told to serve so many rows a second.
"""

import argparse
import asyncio
import json
import sys
import time
from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from bench.rows import COLUMNS, DEFINITION, DOCTYPE, MODIFIED, NAME, rows, spoiled, with_modified

LARGEST_TOLD_AS_OBJECTS = 100_000  # rows; objects are four times as large


class Prepared:
    """Rows by name, and their places by (`modified`, name). A row's keys are parts of it."""

    def __init__(self, count: int) -> None:
        self.rows = list(rows(count))
        self.by_modified = array("I", sorted(range(count), key=self._moment))
        self.objects: list[bytes] = []
        if count <= LARGEST_TOLD_AS_OBJECTS:
            self.objects = [
                json.dumps(dict(zip(COLUMNS, json.loads(row), strict=True))).encode()
                for row in self.rows
            ]

    def _moment(self, place: int) -> tuple[bytes, bytes]:
        row = self.rows[place]
        return row[MODIFIED], row[NAME]

    def page_by_name(
        self, above: str | None, below: str | None, limit: int, *, descending: bool
    ) -> list[bytes]:
        start, end = 0, len(self.rows)
        if above is not None:
            start = bisect_right(self.rows, above.encode(), key=lambda row: row[NAME])
        if below is not None:
            end = bisect_left(self.rows, below.encode(), key=lambda row: row[NAME])
        if descending:
            return self.rows[max(start, end - limit) : end][::-1]
        return self.rows[start : min(end, start + limit)]

    def page_by_modified(
        self, since: str | None, after: tuple[str, str] | None, limit: int
    ) -> list[bytes]:
        start = 0
        if since is not None:
            moment = since.encode()
            start = bisect_left(self.by_modified, (moment, b""), key=self._moment)
        if after is not None:
            position = (after[0].encode(), after[1].encode())
            start = max(start, bisect_right(self.by_modified, position, key=self._moment))
        return [self.rows[place] for place in self.by_modified[start : start + limit]]

    def named(self, names: list[str]) -> list[bytes]:
        return [self.rows[int(name.removeprefix("ITEM-"))] for name in sorted(names)]

    def spoil(self, values: list[list[int]]) -> None:
        """Other values at these places and columns, with no word of it in `modified`."""
        for place, column in values:
            self.rows[place] = spoiled(self.rows[place], column)

    def touch(self, places: list[int]) -> None:
        """Modify these rows now, one after another."""
        touched = set(places)
        kept = array("I", (place for place in self.by_modified if place not in touched))
        for place in places:
            now = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S.%f}".encode()
            self.rows[place] = with_modified(self.rows[place], now)
            kept.append(place)
        self.by_modified = kept


class Replay:
    def __init__(self, count: int) -> None:
        self.prepared = Prepared(count)
        self.pages: list[dict[str, object]] = []
        self.requests: Counter[str] = Counter()
        self.rows_a_second = 0
        self.free_at = 0.0

    def application(self) -> web.Application:
        app = web.Application(client_max_size=2**24)
        app.add_routes(
            [
                web.post("/api/method/frappe.client.get_list", self.get_list),
                web.get("/api/method/frappe.auth.get_logged_user", self.said("hub@shop.test")),
                web.get("/api/method/frappe.client.get_time_zone", self.said({"time_zone": "UTC"})),
                web.get(
                    "/api/method/frappe.utils.change_log.get_versions",
                    self.said({"frappe": {"version": "15.90.0"}}),
                ),
                web.get("/api/method/ping", self.said("pong")),
                web.get(f"/api/v2/doctype/{DOCTYPE}/meta", self.meta),
                web.get("/api/resource/DocType", self.doctypes),
                web.get(f"/api/resource/{DOCTYPE}", self.as_objects),
                web.post("/bench", self.bench),
            ]
        )
        return app

    def said(self, message: object) -> Handler:
        async def answer(request: web.Request) -> web.Response:
            self.requests[request.path] += 1
            return web.json_response({"message": message})

        return answer

    async def meta(self, _: web.Request) -> web.Response:
        self.requests["meta"] += 1
        return web.json_response({"data": DEFINITION})

    async def doctypes(self, _: web.Request) -> web.Response:
        return web.json_response({"data": [{"name": DOCTYPE, "istable": 0}]})

    async def get_list(self, request: web.Request) -> web.Response:
        asked = json.loads(await request.read())
        fields = asked["fields"]
        self.requests[f"{asked['doctype']}: {', '.join(fields[:2])}"] += 1
        if asked["doctype"] != DOCTYPE:
            return web.json_response({"message": []})
        if len(fields) == 1 and fields[0].startswith("count("):
            return web.json_response({"message": [{"total": len(self.prepared.rows)}]})
        if tuple(fields) != COLUMNS or asked.get("as_dict"):
            return _refused(f"only arrays of all {len(COLUMNS)} columns are prepared")
        self.pages.append(asked)
        found = self._page(asked)
        await self._pace(len(found))
        body = b'{"message":[' + b",".join(found) + b"]}"
        return web.Response(body=body, content_type="application/json")

    def _page(self, asked: dict[str, Any]) -> list[bytes]:
        """A page in the order that is asked for, between the bounds that the filters give."""
        limit = int(str(asked["limit_page_length"])) or len(self.prepared.rows)
        bounds = {(field, sign): value for field, sign, value in asked["filters"]}
        if ("name", "in") in bounds:
            return self.prepared.named(bounds["name", "in"])
        if not str(asked["order_by"]).startswith("modified"):
            return self.prepared.page_by_name(
                bounds.get(("name", ">")),
                bounds.get(("name", "<")),
                limit,
                descending=str(asked["order_by"]).endswith("desc"),
            )
        tie = {field: value for field, _, value in asked.get("or_filters") or []}
        after = (tie["modified"], tie["name"]) if tie else None
        return self.prepared.page_by_modified(bounds.get(("modified", ">=")), after, limit)

    async def as_objects(self, request: web.Request) -> web.Response:
        """Pages by offset in the order of `modified`: the way that other tools ask."""
        if not self.prepared.objects:
            return _refused(f"objects are prepared up to {LARGEST_TOLD_AS_OBJECTS} rows")
        start = int(request.query.get("limit_start", 0))
        limit = int(request.query.get("limit_page_length", 20))
        places = self.prepared.by_modified[start : start + limit]
        found = [self.prepared.objects[place] for place in places]
        await self._pace(len(found))
        body = b'{"data":[' + b",".join(found) + b"]}"
        return web.Response(body=body, content_type="application/json")

    async def _pace(self, rows_served: int) -> None:
        """All requests together get `rows_a_second`, as they share a site's database."""
        if self.rows_a_second:
            now = time.monotonic()
            self.free_at = max(now, self.free_at) + rows_served / self.rows_a_second
            await asyncio.sleep(self.free_at - now)

    async def bench(self, request: web.Request) -> web.Response:
        """Pace it, touch or spoil rows, and tell what was asked since the last time."""
        told = await request.json()
        self.rows_a_second = told.get("rows_a_second", self.rows_a_second)
        self.prepared.touch(told.get("touch", []))
        self.prepared.spoil(told.get("spoil", []))
        answer = {"requests": dict(self.requests), "pages": self.pages}
        self.requests, self.pages = Counter(), []
        return web.json_response(answer)


def _refused(why: str) -> web.Response:
    return web.json_response({"exc_type": "ValidationError", "exception": why}, status=417)


async def serve(application: web.Application) -> None:
    """Prints where it listens, and goes on until its input is closed."""
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    print(json.dumps({"url": f"http://{host}:{port}"}), flush=True)
    # Who started it ends it by closing its input, and so does that one's own end.
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=300_000)
    asyncio.run(serve(Replay(parser.parse_args().rows).application()))

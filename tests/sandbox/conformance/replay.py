"""Replays the recorded exchanges against a sandbox that was loaded with the recorded documents."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
from aiohttp import web
from yarl import URL

from bascule.sandbox.folder import load_folder
from bascule.sandbox.server import Running, Sandbox
from tests.sandbox.conformance.comparison import Mismatch, Tokens, compare, plain

GROUPS = ("auth", "list", "call", "doc", "custom_field", "webhook", "webhook_delivery")
RECEIVER = "127.0.0.1:8899"  # where the recorded site sent its webhooks
SITE = "http://erp.example.com"  # what the recorded site called itself
# The time is asked for ("last year") and told (in names) in them.
RECORDED = datetime(2026, 11, 20, 21, 0, tzinfo=UTC)
SIXTEEN = ("auth", "list", "call", "doc", "sixteen")  # what was asked of version 16 as well
RECORDED_SIXTEEN = datetime(2026, 11, 28, 17, 58, tzinfo=UTC)


@dataclass
class Outcome:
    """Exchange -> (recorded status, given status) and mismatches; and what the receiver got."""

    statuses: dict[str, tuple[int, int]] = field(default_factory=dict)
    mismatches: dict[str, list[Mismatch]] = field(default_factory=dict)
    recorded_deliveries: list[dict[str, Any]] = field(default_factory=list)
    deliveries: list[dict[str, Any]] = field(default_factory=list)
    tokens: Tokens = field(default_factory=Tokens)


def load_exchanges(recordings: Path, group: str) -> list[dict[str, Any]]:
    lines = (recordings / "exchanges" / f"{group}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


async def replay(
    recordings: Path, groups: Sequence[str] = GROUPS, recorded: datetime = RECORDED
) -> Outcome:
    """The groups, one after the other on one sandbox, at the time at which they were recorded."""
    outcome = Outcome()
    snapshot = load_folder(recordings)
    async with (
        Sandbox(snapshot, webhook_patience=0.0).serve() as site,
        _receiver(outcome) as address,
        aiohttp.ClientSession(skip_auto_headers=["Content-Type"]) as http,
    ):
        since = datetime.now(UTC) - recorded
        site.faults.add("clock_back", seconds=since.total_seconds())
        for group in groups:
            if group == "webhook_delivery":
                outcome.deliveries.clear()
            for exchange in load_exchanges(recordings, group):
                await site.deliveries.idle()
                await _exchange(http, site, address, exchange, outcome)
        await site.deliveries.idle()
    if "webhook_delivery" in groups:
        outcome.recorded_deliveries = load_exchanges(recordings, "webhook_delivered")
    return outcome


async def _exchange(
    http: aiohttp.ClientSession,
    site: Running,
    address: str,
    exchange: dict[str, Any],
    outcome: Outcome,
) -> None:
    request = outcome.tokens.translated(exchange["request"])
    url = site.url + quote(request["path"], safe="/%")
    if query := {k: value for k, value in request.get("query", {}).items() if value is not None}:
        url += f"?{urlencode(query)}"
    headers = _authorization(site, exchange["as"]) | request.get("headers", {})
    body = request.get("body", "").encode()
    if "json" in request:
        body = json.dumps(request["json"]).replace(RECEIVER, address).encode()
        headers["Content-Type"] = "application/json"
    where = URL(url, encoded=True)
    async with http.request(
        request["method"], where, headers=headers, data=body or None, allow_redirects=False
    ) as answer:
        text = (await answer.text()).replace(address, RECEIVER).replace(site.url, SITE)
    recorded = exchange["response"]
    outcome.statuses[exchange["id"]] = (recorded["status"], answer.status)
    outcome.mismatches[exchange["id"]] = found = []
    content_type = recorded["headers"]["content-type"]
    if answer.headers["Content-Type"] != content_type:
        found.append(Mismatch("content-type", content_type, answer.headers["Content-Type"]))
    if "json" not in recorded:
        # A page was recorded as far as its head.
        if not text.startswith(recorded["text"]):
            found.append(Mismatch("text", recorded["text"], text))
        return
    unordered = bool(exchange.get("unordered"))
    pair = (plain(recorded["json"]), plain(json.loads(text)))
    found += compare(*pair, outcome.tokens, unordered=unordered)


def _authorization(site: Running, who: str) -> dict[str, str]:
    if who in site.users:
        user = site.users[who]
        return {"Authorization": f"token {user.api_key}:{user.api_secret}"}
    hub = site.users["hub"]
    basic = base64.b64encode(f"{hub.api_key}:{hub.api_secret}".encode()).decode()
    wrong = {
        "basic": f"Basic {basic}",
        "bad": "token unknown:unknown",
        "wrongsecret": f"token {hub.api_key}:wrong",
    }
    return {"Authorization": wrong[who]} if who in wrong else {}


@asynccontextmanager
async def _receiver(outcome: Outcome) -> AsyncIterator[str]:
    """Takes webhooks and keeps them; /fail answers 500, as the recorded receiver did."""

    async def take(request: web.Request) -> web.Response:
        body = await request.text()
        got = {"path": request.path, "headers": dict(request.headers), "body": body}
        outcome.deliveries.append(got)
        failing = request.path == "/fail"
        return web.Response(status=500 if failing else 200, text="" if failing else "ok")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
        await asyncio.sleep(0)

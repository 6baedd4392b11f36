"""Faults on demand: what a network, a proxy or a tired site does to answers, asked for by rule.

The middleware stands before the sandbox's own routes and knows nothing of what they answer. A rule
waits for the requests that it matches, and is spent after `times` of them, if given.
"""

import asyncio
import json
import random
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Protocol

from aiohttp import web
from aiohttp.typedefs import Handler

from bascule.sandbox.spoiled import Lists, bomb, nest, pack_otherwise, slow_or_cut

ROUTE = "/sandbox/faults"

# Kind -> (what it does, seconds if none are given).
KINDS: dict[str, tuple[str, float]] = {
    "latency": ("answers after `seconds`", 0.5),
    "rate_limited": ("429 with Retry-After: `seconds`", 1.0),
    "server_error": ("500 with a traceback, as Frappe shapes it", 0.0),
    "bad_gateway": ("502 with a proxy's HTML page", 0.0),
    "maintenance": ("503 with an HTML page", 0.0),
    "truncated": ("promises the whole body, sends half of it and hangs up", 0.0),
    "dropped": ("hangs up before anything was done", 0.0),
    "lost_answer": ("does the work, then hangs up without an answer", 0.0),
    "slow_body": ("spreads the body over `seconds`", 2.0),
    "revoked": ("401, as if the API key had been taken away", 0.0),
    "forbidden": ("403, as if the role had lost the DocType", 0.0),
    "name_race": (
        "409 for a create, as when another took the name that was free a moment ago",
        0.0,
    ),
    "late_commit": ("a write shows up `seconds` after the time in its `modified`", 1.0),
    "nested_json": ("JSON kept as text comes nested, as from a site on PostgreSQL", 0.0),
    "bomb": ("answers 4 GB, packed to 4 MB where the client takes that", 0.0),
    "wrong_encoding": ("packs its answer in an encoding that the client did not name", 0.0),
    "more_rows_than_asked": ("a list has more rows than were asked for", 0.0),
    "endless": ("a list goes on for ever with rows that are made up", 0.0),
    "clock_back": ("the site's clock goes back `seconds`, until the rule is cleared", 3600.0),
}
_INSTEAD = {
    *("rate_limited", "server_error", "bad_gateway", "maintenance", "revoked", "forbidden"),
    "name_race",
}
_OVER_A_BAD_LINE = {"truncated", "slow_body"}


class SiteClock(Protocol):
    """What faults do to the time that the site writes into documents."""

    shift: timedelta

    def behind(self, by: timedelta) -> AbstractContextManager[None]:
        """Within the block, in this task alone, the site's time is `by` earlier."""


@dataclass
class Fault:
    """One rule. `path` is a part of the request's path; `times` counts down, None is for ever."""

    kind: str
    seconds: float
    path: str | None = None
    doctype: str | None = None
    method: str | None = None
    times: int | None = None
    probability: float = 1.0


class Faults:
    def __init__(
        self,
        clock: SiteClock | None = None,
        user_of: Callable[[str], str | None] | None = None,
        seed: int = 1,
    ) -> None:
        """`user_of` names the user of an API key, for the message of a 403."""
        self.rules: list[Fault] = []
        self._lists = Lists()
        self._clock = clock
        self._user_of = user_of or (lambda key: None)
        self._rng = random.Random(seed)  # noqa: S311 - repeatable on purpose

    def add(
        self,
        kind: str,
        *,
        seconds: float | None = None,
        path: str | None = None,
        doctype: str | None = None,
        method: str | None = None,
        times: int | None = None,
        probability: float = 1.0,
    ) -> Fault:
        """A fault from now on; ValueError when there is no such kind or something is missing."""
        if kind not in KINDS:
            raise ValueError(f"No fault is called {kind!r}. There are: {', '.join(KINDS)}.")
        if kind == "forbidden" and doctype is None:
            raise ValueError("forbidden needs a DocType, for instance doctype=Supplier.")
        if times is not None and times < 1:
            raise ValueError("times is at least 1; leave it out for a fault that stays.")
        if not 0 < probability <= 1:
            raise ValueError("probability is above 0 and at most 1.")
        span = KINDS[kind][1] if seconds is None else seconds
        if span < 0:
            raise ValueError("seconds is not below 0.")
        fault = Fault(
            kind, span, path, doctype, method and method.upper(), times, probability
        )  # fmt: skip
        if kind in ("clock_back", "late_commit") and self._clock is None:
            raise ValueError(f"{kind} needs a site whose clock can be set.")
        self.rules.append(fault)
        self._set_clock()
        return fault

    def add_text(self, text: str) -> Fault:
        """A fault as the command line says it: `latency=0.2`, `dropped,doctype=Item,times=3`."""
        first, *more = text.split(",")
        kind, _, seconds = first.partition("=")
        values: dict[str, Any] = {"seconds": seconds} if seconds else {}
        for part in more:
            key, _, value = part.partition("=")
            values[key.strip()] = value
        return self.add_values({"kind": kind.strip(), **values})

    def add_values(self, values: Mapping[str, Any]) -> Fault:
        """A fault from loose values (JSON, text); ValueError names what cannot be read."""
        types = {"seconds": float, "times": int, "probability": float}
        known = {"kind", "path", "doctype", "method", *types}
        if strange := sorted(set(values) - known):
            raise ValueError(f"A fault has no {', '.join(strange)}; it has {', '.join(known)}.")
        read: dict[str, Any] = {}
        for key, value in values.items():
            if value is None:
                continue
            try:
                read[key] = types.get(key, str)(value)
            except (TypeError, ValueError) as error:
                raise ValueError(f"{key} is a number, not {value!r}.") from error
        return self.add(read.pop("kind", ""), **read)

    def clear(self, fault: Fault | None = None) -> None:
        """Take back that fault, or all of them."""
        self.rules = [rule for rule in self.rules if fault is not None and rule is not fault]
        self._set_clock()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(ROUTE, self._show),
            web.post(ROUTE, self._take),
            web.delete(ROUTE, self._forget),
        ]

    @property
    def middleware(self) -> Callable[[web.Request, Handler], Any]:
        @web.middleware
        async def faulty(request: web.Request, handler: Handler) -> web.StreamResponse:
            if not self.rules or request.path.startswith("/sandbox/"):
                return await handler(request)
            return await self._answer(request, handler, await self._due(request))

        return faulty

    async def _answer(
        self, request: web.Request, handler: Handler, due: list[Fault]
    ) -> web.StreamResponse:
        within: AbstractContextManager[None] = nullcontext()
        await request.read()  # a real site has all of it, whoever hangs up while it waits
        came = time.monotonic()
        for fault in due:
            if fault.kind in ("latency", "late_commit"):
                begun = time.monotonic()
                # Somebody in another thread may make `seconds` less meanwhile.
                while (left := begun + fault.seconds - time.monotonic()) > 0:  # noqa: ASYNC110
                    await asyncio.sleep(min(left, 0.05))
            if fault.kind == "late_commit" and self._clock is not None:
                # Measured: a busy machine wakes up later than it was asked to.
                within = self._clock.behind(timedelta(seconds=time.monotonic() - came))
            elif fault.kind == "dropped":
                return _hang_up(request)
            elif fault.kind in _INSTEAD:
                return self._instead(fault, request)
            elif fault.kind == "bomb":
                return await bomb(request)
        with within:
            response = await handler(request)
        self._date(response)
        for fault in due:
            if isinstance(response, web.Response):
                response = await self._spoiled(fault, request, response)
        return response

    async def _spoiled(
        self, fault: Fault, request: web.Request, response: web.Response
    ) -> web.StreamResponse:
        if fault.kind == "lost_answer":
            return _hang_up(request)
        if fault.kind in _OVER_A_BAD_LINE:
            seconds = fault.seconds if fault.kind == "slow_body" else None
            return await slow_or_cut(request, response, seconds)
        if fault.kind == "nested_json":
            nest(response)
        elif fault.kind in ("more_rows_than_asked", "endless"):
            await self._lists.lengthen(request, response, fault.kind)
        elif fault.kind == "wrong_encoding":
            pack_otherwise(request, response)
        return response

    async def _due(self, request: web.Request) -> list[Fault]:
        """The faults that strike this request, counted down; spent ones are gone."""
        named: set[str] = set()
        if any(rule.doctype for rule in self.rules):
            named = await _doctypes(request)
        due = []
        for rule in list(self.rules):
            if not _matches(rule, request, named) or self._rng.random() >= rule.probability:
                continue
            due.append(rule)
            if rule.times is not None:
                rule.times -= 1
                if rule.times == 0:
                    self.rules.remove(rule)
        return due

    def _instead(self, fault: Fault, request: web.Request) -> web.Response:
        if fault.kind == "rate_limited":
            wait = str(max(1, round(fault.seconds)))
            headers = {"X-RateLimit-Limit": "1000000", "X-RateLimit-Remaining": "0"}
            headers |= {"X-RateLimit-Reset": wait, "Retry-After": wait}
            return web.Response(status=429, text="Too Many Requests", headers=headers)
        if fault.kind == "bad_gateway":
            return _page(502, "Bad Gateway")
        if fault.kind == "maintenance":
            return _page(503, "Service Temporarily Unavailable")
        if fault.kind == "revoked":
            return _exception(401, "AuthenticationError")
        if fault.kind == "server_error":
            gone = "(2006, 'MySQL server has gone away')"
            return _exception(500, "OperationalError", f"MySQLdb.OperationalError: {gone}")
        if fault.kind == "name_race":
            return _name_race(str(fault.doctype))
        user = self._user_of(_api_key(request)) or "Guest"
        message = (
            f"User <strong>{user}</strong> does not have doctype access via role permission "
            f"for document <strong>{fault.doctype}</strong>"
        )
        told = [json.dumps({"message": message, "title": "Message"})]
        return _exception(
            403,
            "PermissionError",
            _server_messages=json.dumps(told),
            _error_message=f"No permission for {fault.doctype}",
        )

    def _date(self, response: web.StreamResponse) -> None:
        """A clock that was set back tells its time in the Date header, too."""
        if self._clock is not None and self._clock.shift and not response.prepared:
            told = datetime.now(UTC) + self._clock.shift
            response.headers["Date"] = format_datetime(told, usegmt=True)

    def _set_clock(self) -> None:
        if self._clock is not None:
            back = sum(rule.seconds for rule in self.rules if rule.kind == "clock_back")
            self._clock.shift = -timedelta(seconds=back)

    async def _show(self, request: web.Request) -> web.Response:
        kinds = {kind: meaning for kind, (meaning, _) in KINDS.items()}
        return web.json_response({"faults": [asdict(rule) for rule in self.rules], "kinds": kinds})

    async def _take(self, request: web.Request) -> web.Response:
        try:
            values = await request.json()
            fault = self.add_values(values if isinstance(values, dict) else {"kind": values})
        except ValueError as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response(asdict(fault), status=201)

    async def _forget(self, request: web.Request) -> web.Response:
        self.clear()
        return web.json_response({"faults": []})


def _matches(rule: Fault, request: web.Request, doctypes: set[str]) -> bool:
    if rule.kind == "clock_back":
        return False
    if rule.kind == "late_commit" and not _writes(request):
        return False
    if rule.kind == "name_race" and (request.method != "POST" or not _writes(request)):
        return False
    if rule.kind == "forbidden" and request.path.endswith("frappe.client.get_count"):
        return False  # Frappe counts for anybody
    return (
        (rule.path is None or rule.path in request.path)
        and (rule.method is None or rule.method == request.method)
        and (rule.doctype is None or rule.doctype in doctypes)
    )


def _writes(request: web.Request) -> bool:
    return request.method != "GET" and "/frappe.client.get" not in request.path


async def _doctypes(request: web.Request) -> set[str]:
    """The DocTypes that a request is about: of its path, its parameters or its JSON body."""
    parts = request.path.strip("/").split("/")
    named = {
        parts[at + 1]
        for at, part in enumerate(parts[:-1])
        if part in ("resource", "document", "doctype")
    }
    sources: list[Mapping[str, Any]] = [request.query]
    if request.method != "GET" and request.can_read_body:
        # aiohttp keeps what was read, so the route can read it again.
        text = await request.text()
        try:
            body = json.loads(text)
        except ValueError:
            sources.append(await request.post())
        else:
            sources.append(body if isinstance(body, dict) else {})
    for source in sources:
        for key in ("doctype", "parent", "dt"):
            if isinstance(name := source.get(key), str):
                named.add(name)
        for key in ("doc", "docs"):
            named |= _doctypes_within(source.get(key))
    return named


def _doctypes_within(value: Any) -> set[str]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return set()
    documents = value if isinstance(value, list) else [value]
    return {
        str(entry["doctype"])
        for entry in documents
        if isinstance(entry, dict) and "doctype" in entry
    }


def _api_key(request: web.Request) -> str:
    _, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.partition(":")[0]


def _exception(
    status: int, exc_type: str, exception: str | None = None, **more: str
) -> web.Response:
    body = {
        "exception": exception or f"frappe.exceptions.{exc_type}",
        "exc_type": exc_type,
        "exc": json.dumps(["Traceback (most recent call last): ..."]),
        **more,
    }
    return web.json_response(body, status=status)


def _name_race(doctype: str) -> web.Response:
    """A document that ERPNext names found the name free, and another was committed first."""
    told = {"message": f"{doctype} <strong>Taken - 1</strong> already exists"}
    told |= {"title": "Duplicate Name", "indicator": "red"}
    error = "IntegrityError(1062, \"Duplicate entry 'Taken - 1' for key 'PRIMARY'\")"
    return _exception(
        409,
        "DuplicateEntryError",
        f"frappe.exceptions.DuplicateEntryError: ({doctype!r}, 'Taken - 1', {error})",
        _server_messages=json.dumps([json.dumps(told)]),
    )


def _page(status: int, reason: str) -> web.Response:
    text = (
        f"<html>\r\n<head><title>{status} {reason}</title></head>\r\n<body>\r\n"
        f"<center><h1>{status} {reason}</h1></center>\r\n<hr><center>nginx</center>\r\n"
        "</body>\r\n</html>\r\n"
    )
    return web.Response(status=status, text=text, content_type="text/html")


def _hang_up(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()  # reaches nobody

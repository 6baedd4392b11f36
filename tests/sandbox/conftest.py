"""Small sites made for one test, asked over HTTP."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest
from yarl import URL

from bascule.sandbox import Running, Sandbox, Snapshot

Row = dict[str, Any]
USERS = {
    "admin": ("Administrator", ["Administrator"]),
    "hub": ("hub@example.com", ["System Manager", "Sales Manager", "Sales Master Manager"]),
    "clerk": ("clerk@example.com", ["Clerk"]),
    "stranger": ("stranger@example.com", []),
}


def doctype(name: str, *fields: Row, permissions: list[Row] | None = None, **more: Any) -> Row:
    """A definition: the hub may do everything unless `permissions` say otherwise."""
    everything = ("read", "write", "create", "delete", "submit", "cancel", "amend")
    hub = {"role": "System Manager", **dict.fromkeys(everything, 1)}
    child = more.get("istable")
    return {
        "doctype": "DocType",
        "name": name,
        "module": "Test",
        "fields": list(fields),
        "permissions": [] if child else [hub, *(permissions or [])],
        **more,
    }


def field(name: str, kind: str = "Data", options: str | None = None, **more: Any) -> Row:
    label = name.replace("_", " ").title()
    entry = {"fieldname": name, "label": label, "fieldtype": kind, **more}
    return entry | {"options": options} if options else entry


class Client:
    """A user of the site: every call gives the status and the body."""

    def __init__(self, http: aiohttp.ClientSession, running: Running, user: str) -> None:
        self._http, self.running, self._user = http, running, user

    def as_user(self, user: str) -> "Client":
        return Client(self._http, self.running, user)

    async def ask(
        self, verb: str, path: str, body: Any = None, *, headers: Row | None = None, **query: Any
    ) -> tuple[int, Any]:
        url = URL(self.running.url + path).update_query(
            {k: v if isinstance(v, str) else json.dumps(v) for k, v in query.items()}
        )
        sent = dict(headers or {})
        if self._user in self.running.users:
            user = self.running.users[self._user]
            sent.setdefault("Authorization", f"token {user.api_key}:{user.api_secret}")
        data = body
        if body is not None and not isinstance(body, str | bytes):
            data, sent["Content-Type"] = json.dumps(body), "application/json"
        async with self._http.request(verb, url, data=data, headers=sent) as answer:
            text = await answer.text()
            if answer.content_type == "application/json":
                return answer.status, json.loads(text)
            return answer.status, text

    async def get(self, path: str, **query: Any) -> tuple[int, Any]:
        return await self.ask("GET", path, **query)

    async def list(self, doctype: str, **query: Any) -> list[Any]:
        status, body = await self.get(f"/api/resource/{doctype}", **query)
        assert status == 200, body
        return body["data"]

    async def insert(self, doctype: str, **values: Any) -> tuple[int, Any]:
        return await self.ask("POST", f"/api/resource/{doctype}", values)

    async def inserted(self, doctype: str, **values: Any) -> Row:
        status, body = await self.insert(doctype, **values)
        assert status == 200, body
        return body["data"]

    async def update(self, doctype: str, name: str, **values: Any) -> tuple[int, Any]:
        return await self.ask("PUT", f"/api/resource/{doctype}/{name}", values)

    async def read(self, doctype: str, name: str) -> Row:
        status, body = await self.get(f"/api/resource/{doctype}/{name}")
        assert status == 200, body
        return body["data"]

    async def delete(self, doctype: str, name: str) -> tuple[int, Any]:
        return await self.ask("DELETE", f"/api/resource/{doctype}/{name}")

    async def call(self, method: str, **values: Any) -> tuple[int, Any]:
        return await self.ask("POST", f"/api/method/{method}", values)


def messages(body: Row) -> list[str]:
    return [json.loads(one)["message"] for one in json.loads(body.get("_server_messages", "[]"))]


MakeSite = Callable[..., Awaitable[Client]]


@pytest.fixture
async def make_site() -> AsyncIterator[MakeSite]:
    """`await make_site(definition, ..., documents={...})` is a client of the user hub."""
    async with AsyncExitStack() as stack:

        async def make(
            *definitions: Row,
            documents: dict[str, list[Row]] | None = None,
            role_permissions: dict[str, dict[str, list[str]]] | None = None,
            time_zone: str = "Europe/Amsterdam",
            major: int = 15,
        ) -> Client:
            users = {
                label: {"name": name, "api_key": f"{label}-k", "api_secret": f"{label}-s",
                        "password": f"{label}-pw", "roles": roles}
                for label, (name, roles) in USERS.items()
            }  # fmt: skip
            snapshot = Snapshot(
                doctypes={one["name"]: one for one in definitions},
                documents=documents or {},
                users=users,
                time_zone=time_zone,
                role_permissions=role_permissions or {},
                major=major,
            )
            site = Sandbox(snapshot, webhook_patience=0.0)
            running = await stack.enter_async_context(site.serve())
            http = await stack.enter_async_context(aiohttp.ClientSession())
            return Client(http, running, "hub")

        yield make

"""People of every role at a running hub, made as an admin and the pages make them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from fastapi import Request, Response

from bascule.accounts.people import users
from bascule.accounts.sessions import start_session
from bascule.accounts.sign_in.password_sign_in import welcome
from bascule.accounts.tables import BrowserSession
from bascule.accounts.tokens import hash_of, issue_token
from tests.kit.desk import Desk
from tests.kit.hub import RunningHub
from tests.kit.visitors import COOKIE, PASSWORD, Somebody, Visitor, next_address

Make = Callable[..., Somebody]
Browse = Callable[..., Visitor]
Sit = Callable[..., Desk]
Sql = Callable[..., list[tuple[Any, ...]]]


@dataclass
class People:
    """Of a hub that trusts 127.0.0.1 as its proxy."""

    running: RunningHub

    def make(self, role: str = "viewer", password: str = PASSWORD) -> Somebody:
        """Invites somebody and lets them choose a password, as the pages do."""

        async def invited() -> tuple[int, str, str, str]:
            name = f"{role}-{uuid4().hex[:8]}"
            async with self.running.hub.db.session() as session:
                user, token = await users.invite(
                    session, name, email=f"{name}@example.com", role=role
                )
                assert user.email is not None
                return user.id, user.username, user.email, token

        number, name, email, token = self.running.run(invited())
        self.running.run(welcome(self.running.hub, token, password))
        return Somebody(number, name, email, role, password, self.running.url)

    def token(self, somebody: Somebody, **options: Any) -> str:
        """An API token of somebody's."""

        async def made() -> str:
            async with self.running.hub.db.session() as session:
                user = await users.find_person(session, somebody.id)
                return await issue_token(session, "tests", user, **options)

        return self.running.run(made())

    def browse(
        self, somebody: Somebody, before: str | None = None, scheme: str = "http"
    ) -> Visitor:
        """A browser that somebody signed in with; `before`: the cookie that it had."""
        hub = self.running.hub

        async def signed_in() -> tuple[str, str]:
            response = Response()
            async with hub.db.session() as session:
                user = await users.find_person(session, somebody.id)
                session.expunge(user)
            await start_session(hub, _request(before, scheme), response, user)
            given = response.headers.getlist("set-cookie")
            (cookie,) = (
                each.partition("=")[2].partition(";")[0] for each in given if COOKIE in each
            )
            async with hub.db.session() as session:
                return cookie, (await session.get_one(BrowserSession, hash_of(cookie))).csrf

        cookie, csrf = self.running.run(signed_in())
        return Visitor(self.running.url, cookie=cookie, csrf=csrf)

    def sit(self, who: str | Somebody) -> Desk:
        """Somebody of this role, or somebody who is there, at a browser."""
        somebody = self.make(who) if isinstance(who, str) else who
        return Desk(somebody, self.browse(somebody))


def _request(cookie: str | None, scheme: str) -> Request:
    headers = [(b"host", b"hub.test"), (b"user-agent", b"tests")]
    if cookie is not None:
        headers.append((b"cookie", f"{COOKIE}={cookie}".encode()))
    return Request(
        {
            "type": "http",
            "scheme": scheme,
            "method": "POST",
            "path": "/sign-in",
            "query_string": b"",
            "headers": headers,
            "client": (next_address(), 1),
            "server": ("hub.test", 80),
        }
    )

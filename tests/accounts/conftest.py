"""People of every role, and the ways in which each of them asks a hub over real HTTP."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from fastapi import Request, Response
from psycopg.conninfo import conninfo_to_dict

from api.conftest import RunningHub, address
from bascule.accounts import people
from bascule.accounts.sessions import start_session
from bascule.accounts.signing_in import welcome
from bascule.accounts.tables import BrowserSession, User
from bascule.accounts.tokens import hash_of, issue_token
from bascule.settings import Settings

from .visitors import COOKIE, Somebody, Visitor, next_address

PASSWORD = "four words that rhyme"
Make = Callable[..., Somebody]
Sql = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture(scope="session")
def accounts_hub(
    postgres: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningHub]:
    """One for all tests of this folder; each makes people of its own in it."""
    name = f"accounts_{uuid4().hex[:12]}"
    with psycopg.connect(postgres, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name} TEMPLATE {template}".encode())
        settings = Settings.model_validate(
            {
                "data_dir": tmp_path_factory.mktemp("hub"),
                "database_url": address({**conninfo_to_dict(postgres), "dbname": name}),
                "trusted_proxies": "127.0.0.1",
            }
        )
        with RunningHub(settings, worker=False) as running:
            yield running
        server.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture(scope="session")
def make_person(accounts_hub: RunningHub) -> Make:
    """Invites somebody and lets them choose a password, as the pages do."""

    def make(role: str = "viewer", password: str = PASSWORD) -> Somebody:
        async def invited() -> tuple[User, str]:
            name = f"{role}-{uuid4().hex[:8]}"
            async with accounts_hub.hub.db.session() as session:
                user, token = await people.invite(
                    session, name, email=f"{name}@example.com", role=role
                )
                session.expunge(user)
                return user, token

        user, token = accounts_hub.run(invited())
        accounts_hub.run(welcome(accounts_hub.hub, token, password))
        assert user.email is not None
        return Somebody(user.id, user.username, user.email, role, password, accounts_hub.url)

    return make


@pytest.fixture(scope="session")
def admin(make_person: Make) -> Visitor:
    """An admin who signed in; a new visit for each session of tests."""
    return make_person("admin").visit()


@pytest.fixture
def stranger(accounts_hub: RunningHub) -> Visitor:
    return Visitor(accounts_hub.url)


@pytest.fixture
def make_token(accounts_hub: RunningHub) -> Callable[..., str]:
    """An API token of somebody's."""

    def make(somebody: Somebody, **options: Any) -> str:
        async def made() -> str:
            async with accounts_hub.hub.db.session() as session:
                user = await people.find_person(session, somebody.id)
                return await issue_token(session, "tests", user, **options)

        token: str = accounts_hub.run(made())
        return token

    return make


@pytest.fixture
def browse(accounts_hub: RunningHub) -> Callable[..., Visitor]:
    """A browser that somebody signed in with; `before`: the cookie that it had."""

    def browse(somebody: Somebody, before: str | None = None, scheme: str = "http") -> Visitor:
        async def signed_in() -> tuple[Response, BrowserSession]:
            response = Response()
            async with accounts_hub.hub.db.session() as session:
                user = await people.find_person(session, somebody.id)
                session.expunge(user)
            await start_session(accounts_hub.hub, _request(before, scheme), response, user)
            async with accounts_hub.hub.db.session() as session:
                cookie = response.headers["set-cookie"].partition("=")[2].partition(";")[0]
                kept = await session.get_one(BrowserSession, hash_of(cookie))
                session.expunge(kept)
            return response, kept

        response, kept = accounts_hub.run(signed_in())
        set_cookie = response.headers["set-cookie"]
        cookie = set_cookie.partition("=")[2].partition(";")[0]
        return Visitor(accounts_hub.url, cookie=cookie, csrf=kept.csrf)

    return browse


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


@pytest.fixture
def sql(accounts_hub: RunningHub) -> Sql:
    """Asks the hub's database beside the hub: to look, and to let time pass in it."""

    def ask(statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        url = accounts_hub.settings.database_url
        assert url is not None
        with psycopg.connect(url.get_secret_value(), autocommit=True) as conn:
            found = conn.execute(statement.encode(), values)
            return found.fetchall() if found.description else []

    return ask

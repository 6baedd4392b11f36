"""People of every role, and the ways in which each of them asks a hub over real HTTP."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from argon2 import PasswordHasher
from fastapi import Request, Response
from sqlalchemy import update

from api.conftest import RunningHub
from bascule.accounts import passwords
from bascule.accounts.people import users
from bascule.accounts.sessions import start_session
from bascule.accounts.sign_in.bearer_tokens import start_family
from bascule.accounts.sign_in.password_sign_in import welcome
from bascule.accounts.tables import BrowserSession, RefreshFamily, User
from bascule.accounts.tokens import hash_of, issue_token
from databases import FreshSettings

from .visitors import COOKIE, Somebody, Visitor, next_address
from .walking import Way

PASSWORD = "four words that rhyme"
Make = Callable[..., Somebody]
Sql = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture(scope="package", autouse=True)
def _quick_passwords() -> Iterator[None]:
    """Hashes of today's strength take half a second here, and these tests make hundreds."""
    with pytest.MonkeyPatch.context() as patch:
        quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        patch.setattr(passwords, "_hasher", quick)
        passwords._nobodys.cache_clear()
        yield
    passwords._nobodys.cache_clear()


@pytest.fixture(scope="session")
def accounts_hub(
    fresh_settings: FreshSettings,
) -> Iterator[RunningHub]:
    """One for all tests of this folder; each makes people of its own in it."""
    with (
        fresh_settings(trusted_proxies="127.0.0.1") as settings,
        RunningHub(settings, worker=False) as running,
    ):
        yield running


@pytest.fixture(scope="session")
def make_person(accounts_hub: RunningHub) -> Make:
    """Invites somebody and lets them choose a password, as the pages do."""

    def make(role: str = "viewer", password: str = PASSWORD) -> Somebody:
        async def invited() -> tuple[User, str]:
            name = f"{role}-{uuid4().hex[:8]}"
            async with accounts_hub.hub.db.session() as session:
                user, token = await users.invite(
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
def admin(make_person: Make, accounts_hub: RunningHub) -> Visitor:
    """An admin who signed in; a new visit for each session of tests, which may take longer than a
    password holds.
    """
    boss = make_person("admin")
    visitor = boss.visit()

    async def later() -> None:
        async with accounts_hub.hub.db.session() as session:
            theirs = update(RefreshFamily).where(RefreshFamily.user_id == boss.id)
            moment = datetime.now(UTC) + timedelta(days=1)
            await session.execute(theirs.values(confirmed_at=moment))

    accounts_hub.run(later())
    return visitor


@pytest.fixture
def stranger(accounts_hub: RunningHub) -> Visitor:
    return Visitor(accounts_hub.url)


@pytest.fixture
def make_token(accounts_hub: RunningHub) -> Callable[..., str]:
    """An API token of somebody's."""

    def make(somebody: Somebody, **options: Any) -> str:
        async def made() -> str:
            async with accounts_hub.hub.db.session() as session:
                user = await users.find_person(session, somebody.id)
                return await issue_token(session, "tests", user, **options)

        token: str = accounts_hub.run(made())
        return token

    return make


Browse = Callable[..., Visitor]


@pytest.fixture(scope="session")
def browse(accounts_hub: RunningHub) -> Browse:
    """A browser that somebody signed in with; `before`: the cookie that it had."""

    def browse(somebody: Somebody, before: str | None = None, scheme: str = "http") -> Visitor:
        async def signed_in() -> tuple[str, str]:
            response = Response()
            async with accounts_hub.hub.db.session() as session:
                user = await users.find_person(session, somebody.id)
                session.expunge(user)
            await start_session(accounts_hub.hub, _request(before, scheme), response, user)
            given = response.headers.getlist("set-cookie")
            (cookie,) = (
                each.partition("=")[2].partition(";")[0] for each in given if COOKIE in each
            )
            async with accounts_hub.hub.db.session() as session:
                return cookie, (await session.get_one(BrowserSession, hash_of(cookie))).csrf

        cookie, csrf = accounts_hub.run(signed_in())
        return Visitor(accounts_hub.url, cookie=cookie, csrf=csrf)

    return browse


@dataclass
class Crew:
    """One of each role, one who was deactivated, and what there is for them to ask for."""

    running: RunningHub
    browse: Browse
    people: dict[str, Somebody]
    reading: str  # an admin's API token that may only read
    there: dict[str, Any] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.running.url

    def come_in(self, way: Way, role: str) -> Visitor:
        """Newly signed in, because a route may sign its visitor out: a browser, or a program."""
        somebody = self.people[role]
        if way.is_page:
            return self.browse(somebody)
        return Visitor(self.url, self.running.run(self._access_token(somebody)))

    async def _access_token(self, somebody: Somebody) -> str:
        async with self.running.hub.db.session() as session:
            user = await users.find_person(session, somebody.id)
            return (await start_family(self.running.hub, session, user)).access_token


@pytest.fixture(scope="session")
def crew(accounts_hub: RunningHub, make_person: Make, admin: Visitor, browse: Browse) -> Crew:
    members = {role: make_person(role) for role in ("viewer", "editor", "admin")}
    members["deactivated"] = make_person("admin")
    token = admin.post("/api/auth/tokens", {"name": "reading", "scope": "read"}).json["token"]
    assert admin.patch(f"/api/users/{members['deactivated'].id}", {"active": False}).status == 200
    shared = connect(admin, name="For everybody")
    runs = admin.post("/api/connectors/sync", {"connector_id": shared["id"]}).json["run_ids"]
    there = {"connector": shared["slug"], "stream": "Supplier", "run": runs[0]}
    record = admin.post("/api/customers", {"name": "A customer of everybody's"})
    assert record.status == 201, record
    there["number"] = record.json["id"]
    there |= {"user": members["viewer"].id, "person": members["viewer"].id}
    return Crew(accounts_hub, browse, members, token, there)


def connect(visitor: Visitor, **values: Any) -> Any:
    """A connection to a site that is not there, which nobody looks at."""
    body = {
        "name": "A site",
        "api_url": "https://erp.invalid",
        "api_key": f"key-{uuid4().hex}",
        "api_secret": f"secret-{uuid4().hex}",
        "schedule": "manual",
        "test_connection": False,
        "start_sync": False,
        **values,
    }
    answer = visitor.post("/api/connectors/erpnext/setup", body)
    assert answer.status == 201, answer
    return answer.json


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

"""People of every role, and the ways in which each of them asks a hub over real HTTP."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import update

from bascule.accounts.people import users
from bascule.accounts.permissions import BUILT_IN_ROLES
from bascule.accounts.sign_in.bearer_tokens import start_family
from bascule.accounts.tables import RefreshFamily
from tests.accounts.walking import Way
from tests.kit import connecting
from tests.kit.hub import RunningHub, hub_fixture
from tests.kit.people import People
from tests.kit.visitors import Somebody, Visitor

running_hub = hub_fixture("session", worker=False, trusted_proxies="127.0.0.1")


@pytest.fixture(scope="session")
def admin(running_hub: RunningHub) -> Visitor:
    """An admin who signed in; a new visit for each session of tests, which may take longer than a
    password holds.
    """
    boss = People(running_hub).make("admin")
    visitor = boss.visit()

    async def later() -> None:
        async with running_hub.hub.db.session() as session:
            theirs = update(RefreshFamily).where(RefreshFamily.user_id == boss.id)
            moment = datetime.now(UTC) + timedelta(days=1)
            await session.execute(theirs.values(confirmed_at=moment))

    running_hub.run(later())
    return visitor


@dataclass
class Crew:
    """One of each role, one who was deactivated, and what there is for them to ask for."""

    running: RunningHub
    people: dict[str, Somebody]
    reading: str  # an admin's API token that may only read
    there: dict[str, Any] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.running.url

    def browse(self, somebody: Somebody) -> Visitor:
        return People(self.running).browse(somebody)

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
def crew(running_hub: RunningHub, admin: Visitor) -> Crew:
    make_person = People(running_hub).make
    members = {role: make_person(role) for role in BUILT_IN_ROLES}
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
    return Crew(running_hub, members, token, there)


def connect(visitor: Visitor, **values: Any) -> Any:
    """A connection to a site that is not there, which nobody looks at."""
    found = {"name": "A site", "api_url": "https://erp.invalid"}
    found |= {"api_key": f"key-{uuid4().hex}", "api_secret": f"secret-{uuid4().hex}"}
    return connecting.connect(visitor, **{**found, **values})

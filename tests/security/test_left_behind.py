"""Somebody who was deactivated goes on reading a site by their private connection."""

import http.client
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import psycopg
import pytest

from bascule.accounts.people import users
from bascule.accounts.sign_in.bearer_tokens import start_family
from bascule.connections.queries import find_connection
from bascule.connections.resting import AtRest
from bascule.inbox.frappe.endpoints import endpoints_of
from bascule.inbox.frappe.signatures import SIGNATURE, signature_of
from bascule.inbox.frappe.tables import WebhookEndpoint
from bascule.mirror.jobs import run_stream, start_due
from bascule.sites.pool import open_site
from tests.accounts.site import SomeSite, some_site
from tests.kit.api import Api
from tests.kit.connecting import connect
from tests.kit.database import FreshSettings
from tests.kit.hub import RunningHub

SECRET = "the secret of their webhooks"


@pytest.fixture(scope="module")
def hub(fresh_settings: FreshSettings) -> Iterator[RunningHub]:
    """Its jobs are done by the tests."""
    with fresh_settings() as settings, RunningHub(settings, worker=False) as running:
        yield running


@pytest.fixture
def site(hub: RunningHub) -> Iterator[tuple[str, SomeSite]]:
    with some_site() as running:
        hub.allow(running[0])
        yield running


@pytest.fixture
def admin(hub: RunningHub) -> Api:
    """One who gave their password just now."""

    async def signed_in() -> str:
        async with hub.hub.db.session() as session:
            user, _ = await users.invite(session, f"admin-{uuid4().hex[:8]}", role="admin")
            return (await start_family(hub.hub, session, user)).access_token

    return Api(hub.url, hub.run(signed_in()))


class Leaver:
    """An editor with a private connection: due, with runs that are queued and one under way."""

    def __init__(self, hub: RunningHub, url: str) -> None:
        self.hub, self.api = hub, hub.somebody("editor")
        self.id = int(self.api.get("/api/auth/me").json["id"])
        made = connect(self.api, name="Mine alone", api_url=url, schedule="hourly")
        self.connection, self.slug = made["id"], made["slug"]
        asked = {"connector_id": self.connection}
        self.runs = self.api.post("/api/connectors/sync", asked).json["run_ids"]
        self.sql(
            "UPDATE bascule.connections SET next_sync_at = now() - interval '1 minute',"
            " next_verify_at = now() - interval '1 minute' WHERE id = %s"
        )

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        assert self.hub.settings.database_url is not None
        url = self.hub.settings.database_url.get_secret_value()
        with psycopg.connect(url, autocommit=True) as conn:
            found = conn.execute(statement.encode(), [self.connection])
            return found.fetchall() if found.description else []

    def outcomes(self) -> set[str]:
        runs = "SELECT DISTINCT outcome FROM bascule.runs WHERE connection_id = %s"
        return {outcome for (outcome,) in self.sql(runs)}

    def fences(self) -> list[tuple[Any, ...]]:
        return self.sql("SELECT fence FROM bascule.streams WHERE connection_id = %s ORDER BY id")

    def open(self) -> None:
        async def opened() -> None:
            async with self.hub.hub.db.session() as session:
                connection = await find_connection(session, self.connection, None)
                session.expunge(connection)
            async with open_site(self.hub.hub, connection):
                pass

        self.hub.run(opened())


@pytest.fixture
def leaver(hub: RunningHub, site: tuple[str, SomeSite]) -> Leaver:
    return Leaver(hub, site[0])


def deactivate(admin: Api, leaver: Leaver) -> None:
    assert admin.patch(f"/api/users/{leaver.id}", {"active": False}).status == 200


def test_their_runs_and_schedules_ask_the_site_no_more(
    hub: RunningHub, admin: Api, leaver: Leaver, site: tuple[str, SomeSite]
) -> None:
    before = leaver.fences()
    deactivate(admin, leaver)
    assert leaver.outcomes() == {"failed"}  # with the very transaction
    assert leaver.fences() == [(fence + 1,) for (fence,) in before]  # what writes, writes no more
    for run in leaver.runs:
        hub.run(run_stream(hub.hub, run))
    hub.run(start_due(hub.hub))
    assert leaver.outcomes() == {"failed"}
    with pytest.raises(AtRest):
        leaver.open()
    assert site[1].seen == []


def test_active_again_it_goes_on(hub: RunningHub, admin: Api, leaver: Leaver) -> None:
    deactivate(admin, leaver)

    async def activated() -> None:
        async with hub.hub.db.session() as session:
            await users.change_person(session, leaver.id, {"active": True})

    hub.run(activated())
    leaver.open()
    hub.run(start_due(hub.hub))
    assert "queued" in leaver.outcomes()


def test_their_site_goes_on_telling(hub: RunningHub, admin: Api, leaver: Leaver) -> None:
    token = uuid4().hex

    async def saved() -> None:
        async with hub.hub.db.session() as session:
            sealed = hub.hub.vault.encrypt(SECRET)
            number = UUID(leaver.connection)
            session.add(WebhookEndpoint(connection_id=number, token=token, secret_encrypted=sealed))

    hub.run(saved())
    assert send(hub, token) == 200
    deactivate(admin, leaver)
    endpoints_of(hub.hub).forget()  # what another process would have forgotten after some seconds
    assert send(hub, token) == 401


def send(hub: RunningHub, token: str) -> int:
    body = json.dumps({"doctype": "Customer", "name": uuid4().hex}).encode()
    to = urlsplit(hub.url)
    asking = http.client.HTTPConnection(to.hostname or "", to.port, timeout=60)
    signature = signature_of(SECRET.encode(), body).decode()
    path = f"/api/webhooks/erpnext/customers?connection={token}"
    asking.request("POST", path, body, {SIGNATURE: signature})
    status = asking.getresponse().status
    asking.close()
    return status


def test_an_admin_sees_that_they_are_there_and_not_what_is_in_them(
    hub: RunningHub, admin: Api, leaver: Leaver
) -> None:
    at = f"/api/users/{leaver.id}/connections"
    for answer in (admin.get(at), admin.ask("DELETE", at), hand_over(admin, leaver, "anybody")):
        assert answer.status == 409  # of who is active nothing is told, nor is it taken
        assert leaver.slug not in answer.body.decode()
    deactivate(admin, leaver)
    [told] = admin.get(at).json["connections"]
    assert set(told) == {"id", "name", "api_url", "created_at"}
    assert (told["id"], told["name"]) == (leaver.connection, "Mine alone")
    for path in ("", "/streams", "/runs", "/rows/supplier"):
        assert admin.get(f"/api/connectors/{leaver.slug}{path}").status == 404
    assert hub.somebody("editor").get(at).status == 403


def test_it_is_handed_over_to_who_may_have_it_and_goes_on(
    hub: RunningHub, admin: Api, leaver: Leaver
) -> None:
    deactivate(admin, leaver)
    viewer, heir = hub.somebody("viewer"), hub.somebody("editor")
    names = [api.get("/api/auth/me").json["username"] for api in (viewer, heir)]
    machine = hub.somebody("admin")
    assert hand_over(machine, leaver, names[1]).status == 403  # it gives a way into a site
    assert hand_over(admin, leaver, names[0]).status == 422
    assert hand_over(admin, leaver, "nobody.at.all").status == 404
    with pytest.raises(AtRest):
        leaver.open()
    assert hand_over(admin, leaver, names[1]).status == 200
    assert heir.get(f"/api/connectors/{leaver.slug}").json["shared"] is False
    assert admin.get(f"/api/connectors/{leaver.slug}").status == 404
    leaver.open()
    assert admin.get(f"/api/users/{leaver.id}/connections").json == {"connections": []}


def test_it_is_deleted(admin: Api, leaver: Leaver) -> None:
    deactivate(admin, leaver)
    gone = admin.ask("DELETE", f"/api/users/{leaver.id}/connections")
    assert (gone.status, gone.json) == (200, {"deleted": 1})
    assert leaver.sql("SELECT 1 FROM bascule.connections WHERE id = %s") == []


def hand_over(admin: Api, leaver: Leaver, to: str) -> Any:
    return admin.post(f"/api/users/{leaver.id}/connections/hand-over", {"to": to})

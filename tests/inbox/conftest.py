"""A hub with a worker, ends at which webhooks arrive, and who listens."""

import asyncio
import http.client
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from bascule.backoff import Backoff
from bascule.connections.tables import Connection
from bascule.errors import Invalid
from bascule.hub import Hub
from bascule.inbox.frappe import DocumentChange, get_webhook_address, subscribe
from bascule.inbox.frappe.signatures import SIGNATURE, signature_of
from bascule.inbox.frappe.tables import WebhookEndpoint
from bascule.job_modules import JOB_MODULES
from bascule.jobs import load
from bascule.jobs.registry import PERIODIC
from bascule.sites.fields import NewConnection
from bascule.sites.service import create_connection
from tests.kit.api import Api
from tests.kit.connecting import NOWHERE, connect
from tests.kit.database import FreshSettings
from tests.kit.hub import RunningHub
from tests.kit.waiting import until


@dataclass
class Ear:
    """A listener of these tests: what it heard, by connection, and what it does at the next."""

    heard: dict[UUID, list[DocumentChange]] = field(default_factory=dict)
    calls: dict[UUID, int] = field(default_factory=dict)
    raising: dict[UUID, Exception] = field(default_factory=dict)

    def of(self, connection: UUID) -> list[DocumentChange]:
        return self.heard.get(connection, [])


EAR, NEIGHBOUR = Ear(), Ear()


async def _hear(ear: Ear, connection: Connection, documents: list[DocumentChange]) -> None:
    ear.calls[connection.id] = ear.calls.get(connection.id, 0) + 1
    if connection.id in ear.raising:
        raise ear.raising[connection.id]
    ear.heard.setdefault(connection.id, []).extend(documents)


@subscribe("Customer", "Address", "Contact", name="test._ear_of_tests")
async def _ear_of_tests(hub: Hub, connection: Connection, documents: list[DocumentChange]) -> None:
    await _hear(EAR, connection, documents)


@subscribe("*", name="test._neighbour_of_tests")
async def _neighbour_of_tests(
    hub: Hub, connection: Connection, documents: list[DocumentChange]
) -> None:
    await _hear(NEIGHBOUR, connection, documents)


def refused(message: str) -> Exception:
    return Invalid(message, next_step="Mend it.")


@dataclass
class Sent:
    status: int
    body: bytes
    seconds: float

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def send(
    url: str,
    path: str,
    body: bytes,
    *,
    secret: str | None = None,
    signature: str | None = None,
    headers: dict[str, str] | None = None,
) -> Sent:
    """As Frappe's requests does it: no Content-Type, the signature over the raw body."""
    to = urlsplit(url)
    asking = http.client.HTTPConnection(to.hostname or "", to.port, timeout=60)
    told = {"User-Agent": "python-requests/2.32.5", "Accept": "*/*", **(headers or {})}
    if secret is not None:
        signature = signature_of(secret.encode(), body).decode()
    if signature is not None:
        told[SIGNATURE] = signature
    began = time.monotonic()
    asking.request("POST", path, body, told)
    answer = asking.getresponse()
    got = Sent(answer.status, answer.read(), time.monotonic() - began)
    asking.close()
    return got


@dataclass
class End:
    """A connection whose webhooks arrive at the hub."""

    hub: RunningHub
    connection: UUID
    slug: str
    token: str
    secret: str

    def path(self, doctype: str = "Customer") -> str:
        to = urlsplit(get_webhook_address(self.hub.url, self.token, doctype))
        return f"{to.path}?{to.query}"

    def tell(self, doctype: str = "Customer", name: str = "Acme", **more: Any) -> Sent:
        body = {"doctype": doctype, "name": name, "event": "on_update", **more}
        return self.send(json.dumps(body).encode(), doctype)

    def send(self, body: bytes, doctype: str = "Customer", **more: Any) -> Sent:
        if "signature" not in more:
            more.setdefault("secret", self.secret)
        return send(self.hub.url, self.path(doctype), body, **more)

    def rows(self, columns: str = "state, subject_type, subject, event") -> list[tuple[Any, ...]]:
        return self.sql(
            f"SELECT {columns} FROM bascule.deliveries WHERE connection_id = %s ORDER BY id",
            [self.connection],
        )

    def sql(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self.hub.sql(statement, values)

    def worked_off(self) -> list[tuple[Any, ...]]:
        """Waits until nothing is due any more."""
        due = "SELECT count(*) FROM bascule.deliveries WHERE connection_id = %s"
        due += " AND state = 'kept' AND next_try_at <= now()"
        until(lambda: self.sql(due, [self.connection]) == [(0,)])
        return self.rows()


async def connected(hub: Hub) -> UUID:
    """A connection in the database alone: no site answers there."""
    new = NewConnection(
        name="Acme", api_url="http://127.0.0.1:1", api_key="key", api_secret="secret"
    )
    return (await create_connection(hub, new, test=False)).id


@pytest.fixture(scope="session")
def running_hub(
    fresh_settings: FreshSettings,
) -> Iterator[RunningHub]:
    """One for all tests of this folder; each makes connections of its own in it. It looks every
    second for what is due again, which nothing is before a test lets time pass.
    """
    load(JOB_MODULES)
    name = "inbox.try_again"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PERIODIC, name, replace(PERIODIC[name], cron="* * * * * *"))
        patch.setattr("bascule.inbox.dispatch.RETRY", Backoff(60.0, longest=3600.0, jitter=0.5))
        with fresh_settings() as settings, RunningHub(settings) as running:
            yield running


@pytest.fixture
def make_end(running_hub: RunningHub, api: Api) -> Callable[..., End]:
    """A connection to a site that is not there; only its webhooks come."""

    def make(secret: str = "s3cret-of-the-hook") -> End:
        made = connect(api)
        connection = UUID(made["id"])
        token = uuid4().hex

        async def save() -> None:
            async with running_hub.hub.db.session() as session:
                sealed = running_hub.hub.vault.encrypt(secret)
                session.add(
                    WebhookEndpoint(
                        connection_id=connection,
                        token=token,
                        site_url=NOWHERE["api_url"],
                        secret_encrypted=sealed,
                    )
                )

        running_hub.run(save())
        return End(running_hub, connection, made["slug"], token, secret)

    return make


@pytest.fixture
def end(make_end: Callable[..., End]) -> End:
    return make_end()


async def in_time(waiting: Any, seconds: float = 60.0) -> Any:
    return await asyncio.wait_for(waiting, seconds)


def site_asks(site: Any, method: str, path: str, values: Any = None, *, who: str = "admin") -> Any:
    """Somebody at work on the site, who is not the hub's user unless `who` is "hub"."""
    user = site.users[who]
    to = urlsplit(site.url)
    asking = http.client.HTTPConnection(to.hostname or "", to.port, timeout=60)
    headers = {"Authorization": f"token {user.api_key}:{user.api_secret}"}
    body = None
    if values is not None:
        headers["Content-Type"], body = "application/json", json.dumps(values)
    asking.request(method, quote(path, safe="/?&=%:"), body, headers)
    answer = asking.getresponse()
    told = answer.read()
    asking.close()
    assert answer.status < 300, told
    return json.loads(told)


@pytest.fixture
def make_secret_known(running_hub: RunningHub) -> Callable[[UUID], str]:
    """The secret of a connection's webhooks, as only the hub itself can read it."""

    def read(connection: UUID) -> str:
        async def opened() -> str:
            async with running_hub.hub.db.session() as session:
                query = select(WebhookEndpoint).where(WebhookEndpoint.connection_id == connection)
                end = (await session.scalars(query)).one()
                return running_hub.hub.vault.decrypt(end.secret_encrypted)

        return str(running_hub.run(opened()))

    return read

"""A hub where something happened: people of every role, a site that was pulled, and things to lose.

Generated requests mostly name what is not there. Here are the names that are, and for what a
request would destroy, one that nobody else needs.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pyotp
import requests
from sqlalchemy import delete, select, update

from bascule.accounts.people import users
from bascule.accounts.sign_in import second_factor
from bascule.accounts.sign_in.bearer_tokens import families_of, start_family
from bascule.accounts.sign_in.password_sign_in import welcome
from bascule.accounts.tables import Identity, Passkey, RefreshFamily, SecondFactor, User
from bascule.accounts.tokens import issue_token, tokens_of
from bascule.connections.tables import Connection, SiteCleanup
from bascule.inbox.frappe.signatures import signature_of
from bascule.inbox.frappe.tables import WebhookEndpoint
from bascule.inbox.tables import Delivery
from bascule.outbox import OutboxWrite
from bascule.sync.pairing import matching
from bascule.sync.queries import find
from bascule.sync.records import keep_here_alone
from bascule.sync.tables import Conflict, Record, TwoWay
from tests.accounts.authenticator import Authenticator
from tests.kit.api import Api
from tests.kit.connecting import connect, way_in
from tests.kit.hub import RunningHub

PASSWORD = "four words that rhyme"
ROLES = ("admin", "editor", "viewer")


@dataclass(frozen=True)
class Person:
    role: str
    id: int
    name: str
    bearer: str
    refresh: str


class Stage:
    def __init__(self, running: RunningHub, site: Any, connector: str, runs: list[int]) -> None:
        self.running, self.site, self.connector, self.runs = running, site, connector, runs
        running.allow(site.url)
        suppliers = Api(running.url, running.token).get(
            f"/api/connectors/{connector}/rows/supplier"
        )
        self.supplier = str(suppliers.json["rows"][0]["name"])
        self.matching = self.begun(self.connect_for_all())
        self.people = {role: self.person(role) for role in ROLES}
        for person in self.people.values():
            self._settle(person)
        self.set_up_webhooks(connector, doctypes=["Supplier"], events=["update"])
        self.any_id = max(person.id for person in self.people.values())

    def person(self, role: str) -> Person:
        """Somebody new of this role, signed in."""
        name = f"{role}-{uuid4().hex[:8]}"

        async def made() -> Person:
            async with self.running.hub.db.session() as session:
                user, link = await users.invite(
                    session, name, email=f"{name}@example.com", role=role
                )
            await welcome(self.running.hub, link, PASSWORD)
            return await self._signed_in(user.id)

        return self.running.run(made())

    async def _signed_in(self, number: int) -> Person:
        async with self.running.hub.db.session() as session:
            user = await users.find_person(session, number)
            issued = await start_family(self.running.hub, session, user)
            # These tests take longer than a password holds.
            theirs = update(RefreshFamily).where(RefreshFamily.user_id == number)
            later = datetime.now(UTC) + timedelta(days=1)
            await session.execute(theirs.values(confirmed_at=later))
            return Person(
                user.role, user.id, user.username, issued.access_token, issued.refresh_token
            )

    def _settle(self, person: Person) -> None:
        """The site among their own settings; a viewer may have none, and is refused."""
        way_in = self.way_in
        values = {
            "erpnext_url": way_in["api_url"],
            "erpnext_api_key": way_in["api_key"],
            "erpnext_api_secret": way_in["api_secret"],
        }
        answer = Api(self.running.url, person.bearer).ask("PUT", "/api/auth/settings", values)
        assert answer.status == (403 if person.role == "viewer" else 200), answer.body

    def set_up_webhooks(self, connector: str, **order: Any) -> None:
        answer = Api(self.running.url, self.running.token).ask(
            "PUT", f"/api/connectors/{connector}/webhooks", order
        )
        assert answer.status == 200, answer.body

    def signature(self, body: bytes) -> str:
        """As the site makes it, with the secret of now."""

        async def signed() -> str:
            async with self.running.hub.db.session() as session:
                query = select(WebhookEndpoint).join(
                    Connection, Connection.id == WebhookEndpoint.connection_id
                )
                end = (await session.scalars(query.where(Connection.slug == self.connector))).one()
                secret = self.running.hub.vault.decrypt(end.secret_encrypted)
            return signature_of(secret.encode(), body).decode()

        return str(self.running.run(signed()))

    def nobody_special(self) -> int:
        """A user without a password, to be changed or reset by admins."""

        async def made() -> int:
            async with self.running.hub.db.session() as session:
                user, _ = await users.invite(session, f"any-{uuid4().hex[:8]}", role="viewer")
                return user.id

        return self.running.run(made())

    def nobody_active(self) -> int:
        """A user who was deactivated, with nothing that is theirs."""
        number = self.nobody_special()
        admin = Api(self.running.url, self.running.token)
        assert admin.patch(f"/api/users/{number}", {"active": False}).status == 200
        return number

    def allowed_place(self) -> str:
        """A site in the hub's own network, to be taken back."""
        place = f"{uuid4().hex[:8]}.internal:8000"
        self.running.allow(f"http://{place}")
        return place

    def leave_off(self) -> None:
        """Something of the connector that its user might not read, and may by now."""

        async def left_off() -> None:
            async with self.running.hub.db.session() as session:
                mine = update(Connection).where(Connection.slug == self.connector)
                await session.execute(mine.values(left_off=["Supplier"]))

        self.running.run(left_off())

    def failed_delivery(self) -> int:
        """One that was given up, to be tried again."""

        async def made() -> int:
            async with self.running.hub.db.session() as session:
                ours = select(Connection.id).where(Connection.slug == self.connector)
                failed = Delivery(
                    connection_id=(await session.scalars(ours)).one(),
                    source="erpnext",
                    address="suppliers",
                    subject_type="Supplier",
                    subject=self.supplier,
                    state="failed",
                )
                session.add(failed)
                await session.flush()
                return failed.id

        return int(self.running.run(made()))

    def cleanup(self) -> int:
        """What a connector that all shared has left on the site, to be removed or given up."""

        async def made() -> int:
            hub, way_in, now = self.running.hub, self.way_in, datetime.now(UTC)
            data = {"base_url": self.running.url, "token": uuid4().hex, "wanted": {}}
            async with hub.db.session() as session:
                left = SiteCleanup(
                    name="Left",
                    shared=True,
                    api_url=way_in["api_url"],
                    api_key_encrypted=hub.vault.encrypt(way_in["api_key"]),
                    api_secret_encrypted=hub.vault.encrypt(way_in["api_secret"]),
                    allow_http=False,
                    remains=[{"kind": "webhooks", "what": "1 webhook", "data": data}],
                    next_try_at=now + timedelta(days=1),
                    until=now + timedelta(days=2),
                )
                session.add(left)
                await session.flush()
                return left.id

        return self.running.run(made())

    def write(self, state: str) -> int:
        """A write of the outbox in this state."""

        async def made() -> int:
            async with self.running.hub.db.session() as session:
                mine = Connection.slug == self.connector
                connection = (await session.scalars(select(Connection).where(mine))).one()
                row = OutboxWrite(
                    connection_id=connection.id,
                    key=uuid4().hex,
                    origin_kind="tests",
                    origin_id="1",
                    operation="create",
                    doctype="Supplier",
                    name="Any" if state == "written" else None,
                    values={"supplier_group": "Nope", "supplier_name": "Any"},
                    lane=0,
                    state=state,
                    failure="invalid" if state == "failed" else None,
                    docstatus=0,
                )
                session.add(row)
                await session.flush()
                return row.id

        return self.running.run(made())

    def token_of(self, number: int) -> int:
        """An API token of this user, to be revoked."""

        async def made() -> int:
            async with self.running.hub.db.session() as session:
                user: User = await users.find_person(session, number)
                await issue_token(session, "to be revoked", user)
                return max(token.id for token in await tokens_of(session, user))

        return self.running.run(made())

    def sign_in_of(self, number: int) -> str:
        """Of a program that this user signed in, to be ended."""

        async def made() -> str:
            async with self.running.hub.db.session() as session:
                user = await users.find_person(session, number)
                await start_family(self.running.hub, session, user)
                return (await families_of(session, user))[0][0].id.hex

        return str(self.running.run(made()))

    def set_up_factor(self, number: int, *, on: bool, begun: bool = True) -> str:
        """Gives this user an authenticator app that is on, one being set up, or none; a code."""

        async def made() -> str:
            hub = self.running.hub
            async with hub.db.session() as session:
                user = await users.find_person(session, number)
                mine = delete(SecondFactor).where(SecondFactor.user_id == number)
                await session.execute(mine)
                if not begun:
                    return ""
                code = pyotp.TOTP((await second_factor.begin(hub, session, user)).secret).now()
                if on:
                    await second_factor.turn_on(hub, session, user, code)
                return code

        return str(self.running.run(made()))

    @property
    def at_a_name(self) -> str:
        return self.running.url.replace("127.0.0.1", "localhost")

    def passkey_for(self, who: Person) -> dict[str, Any]:
        """What a browser made for this sign-in a moment ago."""
        begun = Api(self.at_a_name, who.bearer).post("/api/auth/passkeys/begin")
        self.keep_few_passkeys(who.id)
        return Authenticator(self.at_a_name).create(begun.json["options"])

    def add_passkey(self, number: int) -> int:
        """One of this user's, to be renamed or removed."""

        async def made() -> int:
            async with self.running.hub.db.session() as session:
                passkey = Passkey(
                    user_id=number,
                    name=uuid4().hex,
                    credential_id=uuid4().hex,
                    public_key="",
                    user_handle="",
                    transports=[],
                )
                session.add(passkey)
                await session.flush()
                return passkey.id

        self.keep_few_passkeys(number)
        return self.running.run(made())

    def keep_few_passkeys(self, number: int) -> None:
        async def removed() -> None:
            async with self.running.hub.db.session() as session:
                await session.execute(delete(Passkey).where(Passkey.user_id == number))

        self.running.run(removed())

    def connect_provider(self, number: int) -> None:
        """This user signs in by a provider, if not already."""

        async def made() -> None:
            async with self.running.hub.db.session() as session:
                theirs = delete(Identity).where(Identity.user_id == number)
                await session.execute(theirs)
                subject = uuid4().hex
                session.add(Identity(user_id=number, issuer="https://x.test", subject=subject))

        self.running.run(made())

    def record(self, records: str, state: str = "") -> int:
        """A new record, to be changed or deleted; or the one that there is in this state, its
        conflict open again where somebody settled it.
        """
        api = Api(self.running.url, self.running.token)
        if not state:
            values = {"name": f"Any {uuid4().hex[:8]}", "connector": self.connector}
            made = api.post(f"/api/{records}", values)
            assert made.status == 201, made.body
            return int(made.json["id"])
        names = {"conflict": "Both", "deleted": "Deleted", "attention": "Wrong"}

        async def found() -> int:
            async with self.running.hub.db.session() as session:
                title = f"{names[state]} {records}"
                number = await session.scalar(select(Record.id).where(Record.title == title))
                if state == "conflict":
                    await session.execute(
                        update(Conflict)
                        .where(Conflict.record_id == number)
                        .values(settled_at=None, choice=None)
                    )
                return int(number or 0)

        return self.running.run(found())

    def record_alone(self, records: str) -> int:
        """A new record that is kept here alone."""
        number = self.record(records)

        async def given_up() -> None:
            async with self.running.hub.db.session() as session:
                whole = await find(session, None, number, None, lock=True)
                await keep_here_alone(session, whole, by="stage", note="To be joined.")

        self.running.run(given_up())
        return number

    def queued_run(self) -> int:
        """One that waits, to be cancelled."""
        asked = {"connector_id": self.connector, "streams": ["Supplier"], "full": True}
        made = Api(self.running.url, self.running.token).post("/api/connectors/sync", asked)
        return int(made.json["run_ids"][0])

    def document(self, records: str) -> str:
        """A new document on the site, by its name."""
        doctype = {"customers": "Customer", "suppliers": "Supplier"}[records]
        made = requests.post(
            f"{self.site.url}/api/resource/{doctype}",
            json={f"{doctype.lower()}_name": f"Any {uuid4().hex[:8]}"},
            headers={"Authorization": f"token {self.site.api_key}:{self.site.api_secret}"},
            timeout=60,
        )
        assert made.status_code == 200, made.text
        return str(made.json()["data"]["name"])

    def begun(self, connector: str, who: Person | None = None) -> str:
        """The same connector, whose customers wait to be paired; there is no worker to do it."""
        editor = who is not None and who.role == "editor"
        api = Api(self.running.url, who.bearer if who and editor else self.running.token)
        at = f"/api/connectors/{connector}/two-way/customers"
        answer = api.post(f"{at}/begin", {"own_field": False})
        assert answer.status == 200, answer.body

        async def prepared() -> None:
            async with self.running.hub.db.session() as session:
                number = await session.scalar(
                    select(TwoWay.id)
                    .join(Connection, Connection.id == TwoWay.connection_id)
                    .where(Connection.slug == connector)
                )
            await matching.prepare(self.running.hub, number or 0)

        self.running.run(prepared())
        return connector

    def match(self) -> int:
        """A row of the preview of `matching`: a document that would become a record."""
        at = f"/api/connectors/{self.matching}/two-way/customers/matches?decision=bring"
        shown = Api(self.running.url, self.running.token).ask("GET", at)
        return int(shown.json["matches"][0]["id"])

    def connect_for_all(self) -> str:
        return self._connect(self.running.token)

    def connect(self, who: Person) -> str:
        """The site once more under another name, to be changed or deleted: an editor's own."""
        return self._connect(who.bearer if who.role == "editor" else self.running.token)

    def _connect(self, token: str) -> str:
        api = Api(self.running.url, token)
        made = connect(api, self.site, streams=["suppliers"], test_connection=False)
        return str(made["slug"])

    @property
    def way_in(self) -> dict[str, str]:
        return way_in(self.site)

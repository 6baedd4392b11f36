"""A hub where something happened: people of every role, a site that was pulled, and things to lose.

Generated requests mostly name what is not there. Here are the names that are, and for what a
request would destroy, one that nobody else needs.
"""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from sqlalchemy import select

from api.conftest import Api, RunningHub
from bascule.accounts import people
from bascule.accounts.bearer import start_family
from bascule.accounts.signing_in import welcome
from bascule.accounts.tables import User
from bascule.accounts.tokens import issue_token, tokens_of
from bascule.connections.tables import Connection
from bascule.inbox.signatures import signature_of
from bascule.inbox.tables import WebhookEnd

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
        suppliers = Api(running.url, running.token).get(
            f"/api/connectors/{connector}/rows/supplier"
        )
        self.supplier = str(suppliers.json["rows"][0]["name"])
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
                user, link = await people.invite(
                    session, name, email=f"{name}@example.com", role=role
                )
            await welcome(self.running.hub, link, PASSWORD)
            return await self._signed_in(user.id)

        return self.running.run(made())  # type: ignore[no-any-return]

    async def _signed_in(self, number: int) -> Person:
        async with self.running.hub.db.session() as session:
            user = await people.find_person(session, number)
            issued = await start_family(self.running.hub, session, user)
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
                query = select(WebhookEnd).join(
                    Connection, Connection.id == WebhookEnd.connection_id
                )
                end = (await session.scalars(query.where(Connection.slug == self.connector))).one()
                secret = self.running.hub.vault.decrypt(end.secret_encrypted)
            return signature_of(secret.encode(), body).decode()

        return str(self.running.run(signed()))

    def nobody_special(self) -> int:
        """A user without a password, to be changed or reset by admins."""

        async def made() -> int:
            async with self.running.hub.db.session() as session:
                user, _ = await people.invite(session, f"any-{uuid4().hex[:8]}", role="viewer")
                return user.id

        return self.running.run(made())  # type: ignore[no-any-return]

    def token_of(self, number: int) -> int:
        """An API token of this user, to be revoked."""

        async def made() -> int:
            async with self.running.hub.db.session() as session:
                user: User = await people.find_person(session, number)
                await issue_token(session, "to be revoked", user)
                return max(token.id for token in await tokens_of(session, user))

        return self.running.run(made())  # type: ignore[no-any-return]

    def record(self, kind: str, *, deleted: bool) -> int:
        """A customer or supplier, to be changed or deleted."""
        api = Api(self.running.url, self.running.token)
        number = int(api.post(f"/api/{kind}", {"name": f"Acme {uuid4().hex[:8]}"}).json["id"])
        if deleted:
            assert api.ask("DELETE", f"/api/{kind}/{number}").status == 200
        return number

    def connect(self, who: Person) -> str:
        """The site once more under another name, to be changed or deleted: an editor's own."""
        token = who.bearer if who.role == "editor" else self.running.token
        answer = Api(self.running.url, token).post(
            "/api/connectors/erpnext/setup",
            {
                "name": f"Acme {uuid4().hex[:8]}",
                "streams": ["suppliers"],
                "test_connection": False,
                "start_sync": False,
                "schedule": "manual",
                **self.way_in,
            },
        )
        assert answer.status == 201, answer.body
        return str(answer.json["slug"])

    @property
    def way_in(self) -> dict[str, str]:
        return {
            "api_url": self.site.url,
            "api_key": self.site.api_key,
            "api_secret": self.site.api_secret,
        }

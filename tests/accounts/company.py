"""A hub of a company that has a sign-in provider, see `provider`; and who comes to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import psycopg

from bascule.accounts.people import users
from bascule.accounts.provider.client import Provider
from bascule.accounts.sign_in.password_sign_in import welcome
from tests.accounts.browsers import path_of, sent_on
from tests.accounts.provider import CLIENT, SECRET, StandIn
from tests.kit.api import Answer
from tests.kit.database import FreshSettings
from tests.kit.hub import RunningHub
from tests.kit.visitors import Browser, Somebody

PASSWORD = "four words that rhyme"


@dataclass
class Company:
    """A hub with a provider, and who was invited to it."""

    running: RunningHub
    provider: StandIn

    def invite(self, role: str = "viewer", *, password: bool = False, email: str = "") -> Somebody:
        name = f"{role}-{uuid4().hex[:8]}"
        address = email or f"{name}@example.com"

        async def invited() -> int:
            async with self.running.hub.db.session() as session:
                user, link = await users.invite(session, name, email=address, role=role)
                number = user.id
            if password:
                await welcome(self.running.hub, link, PASSWORD)
            return number

        return Somebody(
            self.running.run(invited()), name, address, role, PASSWORD, self.running.url
        )

    def as_they_are(self, somebody: Somebody, **more: Any) -> None:
        """Who is signed in at the provider."""
        self.provider.person = {
            "sub": f"sub-of-{somebody.username}",
            "email": somebody.email,
            "email_verified": True,
            **more,
        }

    def browser(self) -> Browser:
        return Browser(self.running.url)

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        url = self.running.settings.database_url
        assert url is not None
        with psycopg.connect(url.get_secret_value(), autocommit=True) as conn:
            found = conn.execute(statement.encode(), values)
            return found.fetchall() if found.description else []

    def forget_keys(self) -> None:
        """As if it were an hour later."""
        self.running.run(self._forget())

    async def _forget(self) -> None:
        found: Provider | None = self.running.hub.shared.pop(Provider, None)
        if found is not None:
            await found.close()


def come_in(browser: Browser, next: str = "", anew: str = "") -> Answer:
    """All the way there and back; the answer to the callback."""
    return browser.send(path_of(back_from(browser, next, anew)))


def back_from(browser: Browser, next: str = "", anew: str = "") -> str:
    """Where the provider sends the browser back to."""
    query = urlencode({name: value for name, value in (("next", next), ("anew", anew)) if value})
    left = browser.send(f"/sign-in/oidc?{query}")
    assert left.status == 303, left
    return sent_on(left.headers["location"])


@contextmanager
def hub_of(fresh_settings: FreshSettings, provider: StandIn, **more: Any) -> Iterator[Company]:
    with (
        fresh_settings(
            trusted_proxies="127.0.0.1",
            oidc_issuer=provider.url,
            oidc_client_id=CLIENT,
            oidc_client_secret=SECRET,
            oidc_name="Acme",
            **more,
        ) as settings,
        RunningHub(settings, worker=False) as running,
    ):
        yield Company(running, provider)

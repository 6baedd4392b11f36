"""The demo's admin: their token and their password go on working from one start to the next."""

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bascule.cli.demo.site import Memory
    from bascule.hub import Hub


@dataclass(frozen=True, slots=True)
class Admin:
    """How to sign in: with `password`, with `welcome` to choose one, or, where both are None, with
    the one that somebody chose.
    """

    username: str
    token: str
    password: str | None
    welcome: str | None

    @property
    def in_words(self) -> str:
        if self.welcome:
            return f"as {self.username}, after choosing a password, once: {self.welcome}"
        if self.password:
            return f"as {self.username}, password {self.password}"
        return f"as {self.username}, with the password that was chosen here"


async def the_admin(hub: "Hub", url: str, memory: "Memory", folder: Path) -> Admin:
    """Whom this demo is shown to. Only where nobody else can reach it does it make up a password
    and print it; what somebody chose themselves stays.
    """
    from bascule.accounts.people.users import first_link
    from bascule.accounts.tokens import ensure_admin
    from bascule.cli.admin.users import link_to
    from bascule.sites.address import is_loopback

    token = await _token(hub, memory)
    async with hub.db.session() as session:
        admin = await ensure_admin(session)
        username, hashed = admin.username, admin.password_hash
    password = welcome = None
    if is_loopback(hub.settings.host):
        password = await _password(hub, hashed, memory, folder)
    else:
        async with hub.db.session() as session:
            if found := await first_link(session):
                welcome = link_to(hub.settings, found[1], url)
    return Admin(username, token, password, welcome)


async def _token(hub: "Hub", memory: "Memory") -> str:
    """Last time's where it still opens the door, so that pasted lines go on working."""
    from bascule.accounts.tokens import issue_token, user_of_token

    async with hub.db.session() as session:
        if memory.token is not None and await user_of_token(session, memory.token) is not None:
            return memory.token
        return await issue_token(session, "demo")


async def _password(hub: "Hub", hashed: str | None, memory: "Memory", folder: Path) -> str | None:
    """Last time's where it is still the one, a new one where there is none."""
    from bascule.accounts.passwords import is_password
    from bascule.accounts.people.users import first_link
    from bascule.accounts.sign_in.password_sign_in import welcome

    if hashed is not None:
        known = memory.password
        return known if known is not None and await is_password(known, hashed) else None
    memory.password = secrets.token_urlsafe(12)
    memory.keep(folder)  # before it opens anything, or it might do so and be forgotten
    async with hub.db.session() as session:
        found = await first_link(session)
    if found is None:
        return None
    await welcome(hub, found[1], memory.password)
    return memory.password

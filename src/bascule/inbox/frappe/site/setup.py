"""Webhooks set up, mended, given another secret, removed: the acts of a person.

A new secret is accepted here before the site is told of it, and the old one until the site has it
everywhere, so nothing that comes meanwhile is refused.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from urllib.parse import urlsplit

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.tables import User
from bascule.connections.sharing import refuse_way_in
from bascule.connections.tables import Connection
from bascule.errors import Conflict, Invalid, NoSuch
from bascule.frappe import Site
from bascule.hub import Hub
from bascule.inbox.dispatch import publish_trouble
from bascule.inbox.frappe.endpoints import endpoints_of
from bascule.inbox.frappe.site.monitor import check
from bascule.inbox.frappe.site.webhooks import (
    EVENTS,
    Brought,
    Target,
    bring,
    events_at,
    remove_all,
    renewed,
    with_renames,
)
from bascule.inbox.frappe.tables import WebhookEndpoint
from bascule.reach import is_refused
from bascule.sites.pool import open_site
from bascule.store.address_binding import same_place

CHANGEOVER = timedelta(hours=1)  # after the site has the new secret; what is under way has the old
UNFINISHED = timedelta(days=30)  # while the site has it not everywhere
SHORTEST_SECRET = 16  # characters
LONGEST_SECRET = 140


class NoWebhooks(NoSuch):
    def __init__(self) -> None:
        super().__init__(
            "No webhooks are set up for this connection.",
            next_step="Set them up on its page Webhooks, or with PUT .../webhooks.",
        )


@dataclass(frozen=True)
class Order:
    """What webhooks are wanted. `base_url`: where the site reaches the hub, None for what the hub
    knows. `secret`: with one they are made by hand on the site, and nothing is written there.
    """

    doctypes: Sequence[str]
    events: Sequence[str] = tuple(EVENTS)
    base_url: str | None = None
    secret: str | None = None


async def end_of(session: AsyncSession, connection: Connection) -> WebhookEndpoint:
    found = await session.scalar(
        select(WebhookEndpoint).where(WebhookEndpoint.connection_id == connection.id)
    )
    if found is None:
        raise NoWebhooks
    return found


async def set_up(
    hub: Hub, connection: Connection, order: Order, *, by: User | None, asked_at: str | None = None
) -> Brought:
    """Makes the site's webhooks as they are wanted; again, it mends them. `asked_at`: the hub's
    address as whoever asks reached it, which does for a site on the same machine.

    Forbidden: not for `by` to decide. Invalid: an address or a DocType that cannot be.
    FrappeError: what the site refused; what is saved then is enough to go on.
    """
    refuse_way_in(by, connection)
    base_url = _base_url(hub, connection, order.base_url, asked_at)
    if not order.doctypes or not order.events:
        raise Invalid(
            "There are no webhooks for nothing.",
            next_step="Name at least one DocType and one of insert, update and delete.",
            fields={"doctypes" if not order.doctypes else "events": "is empty"},
        )
    if order.secret is not None:
        _check_secret(order.secret)
    async with open_site(hub, connection) as site:
        wanted = await events_at(site, order.doctypes, order.events)
        if order.secret is None:
            wanted = with_renames(wanted)
        async with hub.db.session() as session:
            await hub.vault.hold(session)
            end = await _end_or_new(hub, session, connection)
            if order.secret is not None and end.at_the_site and end.installed_at is not None:
                raise Conflict(
                    "The hub has made webhooks on the site, with a secret of its own.",
                    next_step="Remove them first, then make yours by hand.",
                )
            end.base_url, end.wanted = base_url, wanted
            end.at_the_site = order.secret is None
            if order.secret is not None:
                _change_secret(hub, end, order.secret, CHANGEOVER)
            await session.flush()
            session.expunge(end)
        endpoints_of(hub).forget()
        done = await _bring(hub, connection, site, end) if end.at_the_site else Brought()
    await check(hub, connection)
    return done


async def mend(hub: Hub, connection: Connection) -> Brought:
    """Brings the site's webhooks to what is wanted, with the secret that holds now; another site
    than the one that has it is given one of its own.
    """
    async with hub.db.session() as session:
        await hub.vault.hold(session)
        end = await end_of(session, connection)
        _refuse_by_hand(end)
        _belong(hub, end, connection)
        await session.flush()
        session.expunge(end)
    endpoints_of(hub).forget()
    async with open_site(hub, connection) as site:
        done = await _bring(hub, connection, site, end)
    await check(hub, connection)
    return done


async def rotate(
    hub: Hub, connection: Connection, secret: str | None = None, *, by: User | None
) -> Brought:
    """Another secret, here and there. One that is made by hand on the site is given: the old one
    is accepted for an hour more.
    """
    refuse_way_in(by, connection)
    async with hub.db.session() as session:
        await hub.vault.hold(session)
        end = await end_of(session, connection)
        if end.at_the_site and secret is not None:
            raise Invalid(
                "The hub makes this secret itself, and tells the site.",
                next_step="Leave 'secret' out.",
                fields={"secret": "is made by the hub"},
            )
        if not end.at_the_site and secret is None:
            raise Invalid(
                "These webhooks were made by hand, so their new secret has to be given.",
                next_step="Give 'secret', then enter the same one in each webhook in ERPNext.",
                fields={"secret": "is needed"},
            )
        if end.found.get("unfinished"):
            raise Conflict(
                "The last change of the secret has not reached every webhook of the site yet.",
                next_step="Mend the webhooks first, then change the secret.",
            )
        if secret is not None:
            _check_secret(secret)
        limit = UNFINISHED if end.at_the_site else CHANGEOVER
        _belong(hub, end, connection)
        _change_secret(hub, end, secret or secrets.token_urlsafe(32), limit)
        end.found = {**end.found, "unfinished": end.at_the_site}
        await session.flush()
        session.expunge(end)
    endpoints_of(hub).forget()
    if not end.at_the_site:
        return Brought()
    async with open_site(hub, connection) as site:
        return await _bring(hub, connection, site, end)


async def remove(
    hub: Hub, connection: Connection, *, by: User | None, at_the_site: bool = True
) -> list[str]:
    """Removes the webhooks there and their end here; the names of those removed there. Without
    `at_the_site` the site is not asked, and what it still sends is refused.
    """
    refuse_way_in(by, connection)
    end = await _end(hub, connection)
    removed: list[str] = []
    if at_the_site and end.at_the_site and end.base_url is not None:
        async with open_site(hub, connection) as site:
            removed = await remove_all(site, Target(end.base_url, end.token, end.wanted))
    async with hub.db.session() as session:
        gone = await session.get(WebhookEndpoint, end.id)
        if gone is not None:
            await session.delete(gone)
        await publish_trouble(session, connection.id)
    endpoints_of(hub).forget()
    return removed


async def _end(hub: Hub, connection: Connection) -> WebhookEndpoint:
    async with hub.db.session() as session:
        end = await end_of(session, connection)
        session.expunge(end)
    return end


async def _end_or_new(hub: Hub, session: AsyncSession, connection: Connection) -> WebhookEndpoint:
    """Locked, so that two who set up at once make one of it."""
    await session.execute(
        select(Connection.id).where(Connection.id == connection.id).with_for_update()
    )
    found = await session.scalar(
        select(WebhookEndpoint).where(WebhookEndpoint.connection_id == connection.id)
    )
    if found is None:
        found = WebhookEndpoint(
            connection_id=connection.id,
            token=secrets.token_urlsafe(16),
            site_url=connection.api_url,
            secret_encrypted=hub.vault.encrypt(secrets.token_urlsafe(32)),
            found={},
        )
        session.add(found)
    else:
        found.secret_encrypted = hub.vault.renewed(found.secret_encrypted)
        _belong(hub, found, connection)
    return found


async def _bring(hub: Hub, connection: Connection, site: Site, end: WebhookEndpoint) -> Brought:
    """Those of an older form are given the present one."""
    wanted = renewed(end.wanted)
    target = Target(end.base_url or "", end.token, wanted, await site.logged_user())
    done = await bring(site, target, hub.vault.decrypt(end.secret_encrypted))
    async with hub.db.session() as session:
        saved = await session.get(WebhookEndpoint, end.id, with_for_update=True)
        if saved is not None and saved.secret_encrypted == end.secret_encrypted:
            saved.installed_at = datetime.now(UTC)
            if saved.wanted == end.wanted:
                saved.wanted = wanted
            # By the site's own clock: what changes after its last webhook was saved is told.
            saved.found = {"stamps": done.stamps, "since": max(done.stamps.values())}
            if saved.previous_until is not None:
                saved.previous_until = datetime.now(UTC) + CHANGEOVER
        await publish_trouble(session, connection.id)
    return done


def _belong(hub: Hub, end: WebhookEndpoint, connection: Connection) -> None:
    """Another site gets another secret, and what the one before signs is refused from now on."""
    if not same_place(end.site_url, connection.api_url):
        end.site_url, end.previous_encrypted, end.previous_until = connection.api_url, None, None
        end.secret_encrypted = hub.vault.encrypt(secrets.token_urlsafe(32))


def _change_secret(hub: Hub, end: WebhookEndpoint, secret: str, limit: timedelta) -> None:
    if hub.vault.decrypt(end.secret_encrypted) == secret:
        return
    if end.id is not None:  # else nobody was ever given the one before
        end.previous_encrypted = hub.vault.renewed(end.secret_encrypted)
        end.previous_until = datetime.now(UTC) + limit
    end.secret_encrypted = hub.vault.encrypt(secret)


def _check_secret(secret: str) -> None:
    if not SHORTEST_SECRET <= len(secret) <= LONGEST_SECRET or not secret.isprintable():
        raise Invalid(
            "This secret cannot be taken.",
            next_step="Give a random one, such as a password manager makes.",
            fields={"secret": f"has to have {SHORTEST_SECRET} to {LONGEST_SECRET} characters"},
        )


def _refuse_by_hand(end: WebhookEndpoint) -> None:
    if not end.at_the_site:
        raise Conflict(
            "These webhooks were made by hand on the site, and the hub leaves them alone.",
            next_step="Mend them in ERPNext, or set them up again without a secret of your own.",
        )


def _base_url(hub: Hub, connection: Connection, given: str | None, asked_at: str | None) -> str:
    """Where the site will send to; Invalid where nobody knows, or it cannot get there."""
    site_is_here = is_loopback(connection.api_url)
    known = given or hub.settings.public_url
    if not known and site_is_here and asked_at and is_loopback(asked_at):
        known = asked_at
    if not known:
        raise Invalid(
            "The hub does not know under which address the site reaches it.",
            next_step="Give that address as 'base_url', or set BASCULE_PUBLIC_URL; the site sends "
            "each webhook to it, so it must be able to get there.",
            fields={"base_url": "is needed: the hub's address as the site reaches it"},
        )
    parts = urlsplit(known)
    plain = parts.scheme in ("http", "https") and parts.hostname and not parts.query
    if not plain or parts.fragment or parts.username or any(c.isspace() for c in known):
        raise Invalid(
            "This is no address that a site could send to.",
            next_step="Give it as in https://hub.example.com.",
            fields={"base_url": "is no address such as https://hub.example.com"},
        )
    if given and is_refused(parts.hostname or "", hub.settings.may_connect):
        raise Invalid(
            "Webhooks are not sent to where this hub itself may not connect to.",
            next_step="Give the hub's own address as the site reaches it; docs/settings.md tells "
            "which networks are allowed.",
            fields={"base_url": "is not one that this hub may connect to"},
        )
    if is_loopback(known) and not site_is_here:
        raise Invalid(
            "The site is on another machine, from which this address leads to itself.",
            next_step="Give the hub's address as other machines reach it.",
            fields={"base_url": "is an address of this machine alone"},
        )
    return known.rstrip("/")


def is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")

"""Removal of what deleted connections left on their sites: tried, tried again, given up.

The credentials are kept for this alone, for `LASTS` at most. They are deleted after that, or when
somebody gives the cleanup up.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, and_, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.access import refuse_without
from bascule.accounts.allowed_sites.allowlist import reach_of
from bascule.accounts.permissions import Permission
from bascule.accounts.tables import User
from bascule.attention.items import Action, AttentionItem, finds_attention_items
from bascule.backoff import Backoff
from bascule.connections.deletion.leaving import OnSite, RemovalAttempt
from bascule.connections.permissions import CONNECTIONS_EDIT, CONNECTIONS_MANAGE
from bascule.connections.queries import NoSuchConnection
from bascule.connections.tables import Connection, SiteCleanup
from bascule.errors import Conflict, HubError, NoSuch
from bascule.events.live import NOBODY, publish
from bascule.frappe import FrappeError
from bascule.hub import Hub
from bascule.sites.on_site import remove
from bascule.sites.pool import unpooled_site
from bascule.store import StoreError

LASTS = timedelta(days=7)
FIRST_TRY = timedelta(minutes=2)  # after whoever deleted it has tried it at once
RETRY = Backoff(steps=(60.0, 300.0, 900.0, 3600.0, 3 * 3600.0))
LONGEST = 20.0  # seconds for one try
AT_ONCE = 10  # sites
CLAIM = timedelta(minutes=2)  # while one tries, nobody else does


class NoSuchCleanup(NoSuch):
    def __init__(self) -> None:
        super().__init__(
            "There is no such clean-up: it is done, or was given up.",
            next_step="'bascule cleanups' lists those that there are.",
        )


def _seen_by(viewer: User | None) -> ColumnElement[bool]:
    if viewer is None:
        return true()
    return or_(SiteCleanup.shared, SiteCleanup.owner_id == viewer.id)


async def list_cleanups(session: AsyncSession, viewer: User | None) -> list[SiteCleanup]:
    """Those that this viewer may see, the oldest first."""
    query = select(SiteCleanup).where(_seen_by(viewer)).order_by(SiteCleanup.id)
    return list((await session.scalars(query)).all())


async def find_cleanup(session: AsyncSession, number: int, viewer: User | None) -> SiteCleanup:
    query = select(SiteCleanup).where(SiteCleanup.id == number, _seen_by(viewer))
    found = await session.scalar(query)
    if found is None:
        raise NoSuchCleanup
    return found


def who_decides(cleanup: SiteCleanup) -> Permission:
    """Who may end it, of those who may know of it: who might delete the connection."""
    return CONNECTIONS_MANAGE if cleanup.shared else CONNECTIONS_EDIT


async def try_now(hub: Hub, number: int, *, by: User | None) -> RemovalAttempt:
    """At once. Conflict: it has ended, and its credentials are forgotten."""
    async with hub.db.session() as session:
        cleanup = await find_cleanup(session, number, by)
        _refuse(by, cleanup)
        if cleanup.next_try_at is None:
            raise Conflict(
                "It was tried for a week, and the credentials are forgotten since.",
                next_step="Remove what is left in ERPNext by hand, then give the clean-up up.",
            )
    return await attempt(hub, number)


async def give_up(hub: Hub, number: int, *, by: User | None) -> SiteCleanup:
    """Forgets it with its credentials; what is on the site stays there."""
    async with hub.db.session() as session:
        cleanup = await find_cleanup(session, number, by)
        _refuse(by, cleanup)
        await session.delete(cleanup)
        await _tell(session, cleanup)
        await session.flush()
    return cleanup


def _refuse(by: User | None, cleanup: SiteCleanup) -> None:
    if by is not None:
        refuse_without(who_decides(cleanup), by)


async def set_aside(
    hub: Hub, session: AsyncSession, connection: Connection, on_site: Sequence[OnSite]
) -> int:
    """Keeps the credentials of a connection that is being deleted, to remove `on_site`; the number
    of the cleanup. NoSuchConnection: somebody else has deleted it.
    """
    await hub.vault.hold(session)
    current = await session.get(Connection, connection.id)
    if current is None:
        raise NoSuchConnection
    now = datetime.now(UTC)
    cleanup = SiteCleanup(
        name=current.name,
        owner_id=current.owner_id,
        shared=current.shared,
        api_url=current.api_url,
        api_key_encrypted=hub.vault.renewed(current.api_key_encrypted),
        api_secret_encrypted=hub.vault.renewed(current.api_secret_encrypted),
        allow_http=current.allow_http,
        ca_bundle=current.ca_bundle,
        remains=[asdict(one) for one in on_site],
        next_try_at=now + FIRST_TRY,
        until=now + LASTS,
    )
    session.add(cleanup)
    session.expunge(current)
    await session.flush()
    return cleanup.id


async def attempt(hub: Hub, number: int) -> RemovalAttempt:
    """One try of all that remains. What the site says against it is kept, and told."""
    async with hub.db.session() as session:
        cleanup = await session.get(SiteCleanup, number, with_for_update=True)
        if cleanup is None or cleanup.next_try_at is None:
            return RemovalAttempt(cleanup=cleanup)
        cleanup.next_try_at = datetime.now(UTC) + CLAIM
        await session.flush()
        session.expunge(cleanup)
    tried, remains = RemovalAttempt(), list(cleanup.remains)
    error: Exception | None = None
    try:
        async with asyncio.timeout(LONGEST):
            reach = await reach_of(hub, cleanup.api_url)
            async with unpooled_site(hub, _way_in(cleanup), reach) as site:
                while remains:
                    done = await remove(hub, site, cleanup.api_url, OnSite(**remains[0]))
                    remains.pop(0)
                    tried.names += done.names
                    tried.kept += done.kept
    except (FrappeError, HubError, StoreError) as refused:
        error = refused
    except TimeoutError:
        error = HubError(
            "The site took too long to answer.", next_step="See that it is up and not overloaded."
        )
    tried.cleanup = await _settle(hub, number, remains, error)
    return tried


async def _settle(
    hub: Hub, number: int, remains: list[dict[str, object]], error: Exception | None
) -> SiteCleanup | None:
    async with hub.db.session() as session:
        cleanup = await session.get(SiteCleanup, number, with_for_update=True)
        if cleanup is None:  # somebody gave it up meanwhile
            return None
        now = datetime.now(UTC)
        if not remains:
            await session.delete(cleanup)
        else:
            cleanup.remains = remains
            cleanup.error = str(error)
            cleanup.next_step = getattr(error, "next_step", None)
            pause = timedelta(seconds=RETRY.pause(cleanup.attempts))
            cleanup.attempts += 1
            cleanup.next_try_at = now + pause
            if now >= cleanup.until:
                cleanup.next_try_at = None
                cleanup.api_key_encrypted = cleanup.api_secret_encrypted = None
        await _tell(session, cleanup)
        await session.flush()
        session.expunge_all()
    return cleanup if remains else None


async def try_due(hub: Hub) -> None:
    """All whose time has come, side by side. Those of people who were deactivated are at rest."""
    inactive = select(User.id).where(~User.active)
    resting = and_(~SiteCleanup.shared, SiteCleanup.owner_id.in_(inactive))
    async with hub.db.session() as session:
        due = SiteCleanup.next_try_at <= datetime.now(UTC)
        numbers = (await session.scalars(select(SiteCleanup.id).where(due, ~resting))).all()
    places = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        async with places:
            await attempt(hub, number)

    await asyncio.gather(*map(one, numbers))


def _way_in(cleanup: SiteCleanup) -> Connection:
    """As a connection that is not saved."""
    return Connection(
        api_url=cleanup.api_url,
        api_key_encrypted=cleanup.api_key_encrypted,
        api_secret_encrypted=cleanup.api_secret_encrypted,
        allow_http=cleanup.allow_http,
        ca_bundle=cleanup.ca_bundle,
        max_concurrency=2,
        versions={},
    )


async def _tell(session: AsyncSession, cleanup: SiteCleanup) -> None:
    private_to = None if cleanup.shared else cleanup.owner_id or NOBODY
    await publish(session, "connection", private_to=private_to, change="cleanup")


def what_remains(cleanup: SiteCleanup) -> str:
    return ", ".join(one["what"] for one in cleanup.remains)


@finds_attention_items
async def needs(hub: Hub, session: AsyncSession, viewer: User | None) -> list[AttentionItem]:
    return [_need(cleanup) for cleanup in await list_cleanups(session, viewer)]


def _need(cleanup: SiteCleanup) -> AttentionItem:
    at, over = f"/cleanups/{cleanup.id}", cleanup.next_try_at is None
    why = f" {cleanup.error}" if cleanup.error else ""
    step = f"The hub tries again by itself until {cleanup.until:%-d %B}."
    label, to, verb = "Try now", f"{at}/retry", "retry"
    if over:
        step = "Remove it in ERPNext by hand, then dismiss this; the credentials are forgotten."
        label, to, verb = "Dismiss", f"{at}/give-up", "give-up"
    return AttentionItem(
        kind="failed" if over else "waiting",
        name=f"{cleanup.name}, deleted",
        what=f"Still on its site: {what_remains(cleanup)}.{why}",
        next_step=step,
        page="/connectors",
        mend=Action(label, to, post=True, permission=who_decides(cleanup)),
        command=f"bascule cleanups {verb} {cleanup.id}",
    )

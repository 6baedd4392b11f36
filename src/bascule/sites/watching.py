"""Ends work at a site from outside: the site owes an answer for too long, somebody cancelled the
work, or the connection was given other credentials.

The work itself may be waiting for a site that never answers, so the database is polled instead.
The change may come from any process.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from psycopg_pool import PoolTimeout
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from bascule.connections.circuit import OF_THE_SITE
from bascule.connections.resting import AtRest
from bascule.connections.tables import Connection
from bascule.frappe import OUTSTANDING, NotAFrappeSite, OutstandingAnswers, Site, Timeout
from bascule.hub import Hub

log = logging.getLogger(__name__)
T = TypeVar("T")
EVERY = 1.0  # seconds between two looks
LATELY = 60.0  # seconds


class OtherWayIn(Exception):
    """The connection has another address, or other credentials, than this work began with."""


class Stalled(Timeout):
    """The site has owed an answer for `seconds`. It is left alone for as long at least."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"The site has given no answer for {seconds:g} seconds, so the sync was ended.",
            next_step="Look whether the site answers in a browser, and how busy it is; the hub "
            "tries again by itself.",
            retry_after=seconds,
        )


@dataclass
class AtSite:
    """Work at a site as it is seen from outside."""

    hub: Hub
    connection: Connection
    trying: bool = False  # as the one who tries whether the site answers again
    site: Site | None = None
    owed: OutstandingAnswers = field(default_factory=OutstandingAnswers)
    began: float = field(default_factory=time.monotonic)

    @property
    def answered_at(self) -> float:
        return self.site.session.answered_at if self.site is not None else 0.0

    @property
    def understood_at(self) -> float:
        return self.site.session.understood_at if self.site is not None else float("-inf")

    @property
    def owed_for(self) -> float:
        return self.owed.seconds(self.answered_at)

    def nobody_gets_through(self, error: BaseException) -> bool:
        """Whether that is what this says: not where others were answered meanwhile, or the hub
        itself asks nothing of the site.
        """
        if not isinstance(error, OF_THE_SITE) or isinstance(error, AtRest):
            return False
        if isinstance(error, NotAFrappeSite) and self.understood_at > self.began - LATELY:
            return False  # it is a Frappe site, and something before it spoils one kind of answer
        return not self.owed.others_were_answered(self.answered_at)


async def watched(
    at: AtSite, work: Awaitable[T], look: Callable[[], Awaitable[None]] | None = None
) -> T:
    """What the work comes to. Stalled; OtherWayIn; and what `look` raises, which is asked every
    second: the work is cancelled then, and has ended when this returns.
    """
    before = OUTSTANDING.set(at.owed)
    doing = asyncio.ensure_future(work)  # which is owed, with all that it starts
    OUTSTANDING.reset(before)
    try:
        while not doing.done():
            await asyncio.wait({doing}, timeout=EVERY)
            if not doing.done():
                await _look(at, look)
        return doing.result()
    finally:
        if not doing.done():
            doing.cancel()
            await asyncio.gather(doing, return_exceptions=True)


async def _look(at: AtSite, look: Callable[[], Awaitable[None]] | None) -> None:
    patience = at.hub.settings.owed_seconds
    if at.owed_for > patience:
        raise Stalled(patience)
    try:
        if look is not None:
            await look()
        await _same_way_in(at)
    except (OperationalError, PoolTimeout) as error:  # the work meets it too, and tells
        log.warning("The database does not say whether a run shall go on: %s", error)


async def _same_way_in(at: AtSite) -> None:
    """OtherWayIn; not where the hub's own key changed, which encrypts the same credentials anew."""
    began, there = at.connection, Connection
    query = select(there.api_url, there.api_key_encrypted, there.api_secret_encrypted)
    async with at.hub.db.session() as session:
        now = (await session.execute(query.where(there.id == began.id))).one_or_none()
    sealed = (began.api_key_encrypted, began.api_secret_encrypted)
    if now is None or tuple(now) == (began.api_url, *sealed):
        return
    decrypt = at.hub.vault.decrypt
    if now[0] != began.api_url or [*map(decrypt, now[1:])] != [*map(decrypt, sealed)]:
        raise OtherWayIn

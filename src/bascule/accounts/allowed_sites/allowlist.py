"""Sites in the hub's own network: who may have the hub connect to one.

Whoever may type an address could otherwise read what services on the hub's machine and beside it
answer. So an address of the hub's own network (loopback and private ones, see `reach`) is for an
admin to allow: by connecting a site there, or by naming it. From then on editors may connect to it.
What the settings refuse stays refused, whoever asks.
"""

import asyncio
from collections.abc import Sequence
from ipaddress import ip_address
from socket import SOCK_STREAM
from urllib.parse import urlsplit

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.permissions import SITES_ALLOW
from bascule.accounts.tables import AllowedSite, User
from bascule.errors import Invalid, NoSuch
from bascule.frappe.address import site_url
from bascule.hub import Hub
from bascule.reach import MayConnect, may_connect
from bascule.store.address_binding import PORTS

OUTSIDE = may_connect(private_networks=False, loopback=False)
LOOKED_UP = 10.0  # seconds, for a name


class NotAllowed(Invalid):
    """`address`: what somebody typed, in a field called `field`."""

    def __init__(self, address: str, field: str) -> None:
        super().__init__(
            "This address is in the hub's own network, where an admin says what is connected to.",
            next_step="Ask an admin to allow it: on the page People, Sites in your network, or "
            f"with 'bascule sites allow {address}'.",
            fields={field: "is in the hub's own network; an admin has to allow it first"},
        )


class NoSuchSite(NoSuch):
    def __init__(self) -> None:
        super().__init__(
            "This address is not among those that are allowed.",
            next_step="GET /api/allowed-sites, or 'bascule sites', lists the ones there are.",
        )


async def refuse_inside(hub: Hub, address: str, by: User | None, *, field: str) -> None:
    """NotAllowed where `by` typed an address that leads into the hub's own network."""
    if may_allow(by) or not await leads_inside(hub, address):
        return
    async with hub.db.session() as session:
        if not await is_allowed(session, address):
            raise NotAllowed(address, field)


async def reach_of(
    hub: Hub, address: str, by: User | None = None, *, trial: bool = False
) -> MayConnect:
    """Where requests to this address may lead. `trial`: on the word of `by`, before it is kept."""
    if trial and may_allow(by):
        return hub.settings.may_connect
    async with hub.db.session() as session:
        allowed = await is_allowed(session, address)
    return hub.settings.may_connect if allowed else OUTSIDE


async def allow(session: AsyncSession, address: str, by: User | None) -> AllowedSite:
    """Invalid where it is no address. Allowed once more it stays as it is."""
    place = place_of(address)
    await session.execute(
        insert(AllowedSite)
        .values(place=place, allowed_by=by.id if by else None)
        .on_conflict_do_nothing()
    )
    found = await session.scalars(select(AllowedSite).where(AllowedSite.place == place))
    return found.one()


async def is_vouched_for(hub: Hub, address: str, by: User | None) -> bool:
    """Whether it is to be allowed with being connected: an admin does that, and it leads into the
    network. A name is looked up, so no session should be open meanwhile.
    """
    return may_allow(by) and await leads_inside(hub, address)


async def forbid(session: AsyncSession, address: str) -> AllowedSite:
    """Nothing is asked there any more, but by an admin who connects it anew. NoSuchSite."""
    place = place_of(address)
    gone: AllowedSite | None = await session.scalar(
        delete(AllowedSite).where(AllowedSite.place == place).returning(AllowedSite)
    )
    if gone is None:
        raise NoSuchSite
    return gone


async def allowed_sites(session: AsyncSession) -> Sequence[AllowedSite]:
    return (await session.scalars(select(AllowedSite).order_by(AllowedSite.place))).all()


async def is_allowed(session: AsyncSession, address: str) -> bool:
    query = select(AllowedSite.place).where(AllowedSite.place == place_of(address))
    return await session.scalar(query) is not None


def may_allow(by: User | None) -> bool:
    """Admins, and whoever owns the hub's machine."""
    return by is None or by.may(SITES_ALLOW)


def place_of(address: str) -> str:
    """`host:port`, which is what is allowed. Invalid."""
    given = address.strip()
    try:
        parts = urlsplit(site_url(given if "://" in given else f"https://{given}", allow_http=True))
        port = parts.port or PORTS[parts.scheme]
    except ValueError as error:
        raise Invalid(
            str(error), next_step="Give it as https://host:port.", fields={"address": "is none"}
        ) from None
    host = (parts.hostname or "").rstrip(".")
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def leads_inside(hub: Hub, address: str) -> bool:
    """Whether this address is one of the hub's own network that the settings do not refuse anyway,
    or a name that now stands for one.
    """
    host, _, port = place_of(address).rpartition(":")
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(LOOKED_UP):
            found = await loop.getaddrinfo(host.strip("[]"), int(port), type=SOCK_STREAM)
    except (OSError, TimeoutError, UnicodeError):
        return False  # it leads nowhere now; where it leads later is judged when it is connected to
    addresses = [ip_address(str(to[0]).partition("%")[0]) for *_, to in found]
    return any(hub.settings.may_connect(one) and not OUTSIDE(one) for one in addresses)

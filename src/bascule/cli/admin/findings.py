"""What `doctor` finds, and how it sees that a proxy before the hub was not named."""

from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from bascule.connections.tables import Connection
    from bascule.hub import Hub
    from bascule.settings import Settings

LEAST = 20  # requests before anything can be said
_SEEN = """
    SELECT count(*), count(DISTINCT address), min(address), count(DISTINCT user_id)
      FROM bascule.audit
     WHERE at > now() - interval '30 days' AND address <> '' AND via <> 'cli'
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """`state`: ok; note: works, but a person should know; ill: does not work."""

    what: str
    state: Literal["ok", "note", "ill"]
    found: str
    next_step: str | None = None


async def one_address(hub: "Hub") -> list[Finding]:
    """Where everybody seems to come from one address near the hub, that is a proxy's: then who
    guesses at passwords slows everybody down, and the audit does not tell from where.
    """
    from bascule.sites.address import is_loopback

    async with hub.db.connection() as conn:
        row = await (await conn.execute(_SEEN)).fetchone()
    if row is None or row[0] < LEAST or row[1] != 1 or not _is_near(row[2]):
        return []
    public = urlsplit(hub.settings.public_url or "").hostname or ""
    served = (public and not is_loopback(public)) or not is_loopback(hub.settings.host)
    if not served and row[3] < 2:
        return []  # one person on the hub's own machine
    step = (
        f"If a proxy is before the hub, put its address ({row[2]}) in BASCULE_TRUSTED_PROXIES, and "
        "have it send X-Forwarded-For."
    )
    said = f"all {row[0]:,} requests of 30 days came from {row[2]}"
    return [Finding("Addresses", "note", said, step)]


async def sign_in_service(settings: "Settings") -> list[Finding]:
    """Whether the OpenID Connect provider answers, and is what it has to be."""
    from bascule.accounts.provider.client import Provider, ProviderFailed
    from bascule.accounts.provider.sign_in import BACK

    if settings.oidc_issuer is None:
        return []
    what, provider = f"Sign-in by {settings.oidc_name}", Provider(settings)
    try:
        found = await provider.described()
        keys = await provider.keys()
    except ProviderFailed as failed:
        step = (
            "See that this machine reaches it, that BASCULE_OIDC_ISSUER is what the provider calls "
            "itself, and that BASCULE_CA_BUNDLE names the authority of its certificate."
        )
        return [Finding(what, "ill", str(failed), step)]
    finally:
        await provider.close()
    public = [key for key in keys if key.get("kty") in ("RSA", "EC", "OKP")]
    if not public:
        step = (
            "Give it a signing key of its own (RSA or EC); one that both sides know is not taken."
        )
        return [Finding(what, "ill", f"{settings.oidc_issuer} has no public key", step)]
    signs = ", ".join(found.algorithms[:3])
    said = f"{settings.oidc_issuer} answers, signs with {signs}, {len(public)} keys"
    if settings.public_url is None:
        step = f"It leads back to the loopback address and {BACK} as long as nothing else is set."
        return [Finding(what, "note", f"{said}; BASCULE_PUBLIC_URL is not set", step)]
    back = f"{settings.public_url.rstrip('/')}{BACK}"
    return [Finding(what, "ok", f"{said}; it has to lead back to {back}")]


async def orphaned_webhooks(hub: "Hub", connection: "Connection") -> list[Finding]:
    """Those on the site that lead to this hub and belong to none of its connections."""
    from bascule.cli.admin.users import hub_address
    from bascule.frappe import FrappeError
    from bascule.inbox.frappe.site.orphans import orphans_if_told
    from bascule.sites.pool import open_site

    try:
        async with open_site(hub, connection) as site:
            found = await orphans_if_told(hub, site, connection, asked_at=hub_address(hub.settings))
    except FrappeError:
        return []  # what its site says is told already
    if not found:
        return []
    names = ", ".join(one.name for one in found[:3])
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return [
        Finding(
            f"Webhooks at {connection.slug}",
            "ill",
            f"{len(found)} lead here and belong to no connection: {names}{more}",
            f"'bascule webhooks clear --connection {connection.slug}' removes them from the site.",
        )
    ]


def _is_near(address: str) -> bool:
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return found.is_loopback or found.is_private

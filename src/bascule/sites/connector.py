"""ERPNext as a connector type: its form, and what is done with its connections."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from bascule.connections.check_report import CheckReport
from bascule.connections.deletion.leaving import OnSite, RemovalAttempt
from bascule.connections.frequency import CHOICES, DEFAULT
from bascule.connections.tables import Connection
from bascule.connections.types.fields import FormField
from bascule.connections.types.registry import Behaviour, ConnectorType, register_connector
from bascule.hub import Hub
from bascule.settings import Settings
from bascule.sites.check import NEEDS
from bascule.sites.cleanup.cleanups import attempt, set_aside
from bascule.sites.fields import MOST_CONCURRENCY, MOST_LOOKBACK_DAYS, MOST_PROOF_DAYS
from bascule.sites.forms import wrong_values
from bascule.sites.pool import pool_of
from bascule.sites.service import recheck

FREQUENCIES = {
    "manual": "Only when somebody asks",
    "every 15 minutes": "Every 15 minutes",
    "hourly": "Every hour",
    "daily": "Every day",
    "weekly": "Every Sunday",
    "monthly": "Every month, on the 1st",
}

_SITE = [
    FormField(
        name="api_url",
        label="ERPNext URL",
        type="url",
        group="Site",
        required=True,
        placeholder="https://erp.yourcompany.com",
        help="The address that you open in the browser.",
        where="Copy it from the browser's address bar; what follows the host name may stay.",
    ),
    FormField(
        name="name",
        label="Name",
        type="text",
        group="Site",
        placeholder="Acme Trading",
        help="What you call this site. Left empty, its host name.",
    ),
    FormField(
        name="group",
        label="Group",
        type="text",
        group="Site",
        placeholder="Clients in Berlin",
        help="A word of your own that it is found by among many, such as a client or a team. May "
        "stay empty.",
    ),
]
_SIGN_IN = [
    FormField(
        name="api_key",
        label="API key",
        type="text",
        group="Sign-in",
        required=True,
        placeholder="1f0c8e1f0c8e1f0",
        help="Says which user of the site the hub is.",
        where="In ERPNext: your picture, My Settings, the section API Access.",
    ),
    FormField(
        name="api_secret",
        label="API secret",
        type="password",
        group="Sign-in",
        required=True,
        secret=True,
        help="Kept encrypted, and never shown again.",
        where="ERPNext shows it once, when you choose Generate Keys. Lost it? Generate again: the "
        "old pair stops working.",
    ),
]
_WHAT = [
    FormField(
        name="streams",
        label="Streams",
        type="presets",
        group="What to mirror",
        default=list(NEEDS),
        options=list(NEEDS),
        help="Ready-made groups, and any other DocType of the site by its name.",
    ),
    FormField(
        name="lookback_days",
        label="Lookback",
        type="number",
        group="What to mirror",
        default=90,
        unit="days",
        minimum=1,
        maximum=MOST_LOOKBACK_DAYS,
        help="How old an order or a stock movement may be to be fetched.",
    ),
    FormField(
        name="warehouse_filter",
        label="Warehouses",
        type="warehouses",
        group="What to mirror",
        default=[],
        placeholder="Stores - AT",
        help="Only stock in these. None chosen: in all.",
        where="A good test lists those of the site.",
    ),
    FormField(
        name="include_disabled",
        label="Show what is disabled",
        type="switch",
        group="Advanced",
        default=False,
        advanced=True,
        help="Also show items, suppliers and customers that are disabled in ERPNext.",
    ),
]
_WHEN = [
    FormField(
        name="schedule",
        label="Frequency",
        type="schedule",
        group="When",
        default=DEFAULT,
        options=list(CHOICES),
        labels=[FREQUENCIES[choice] for choice in CHOICES],
        help="How often the hub asks the site what changed. Of every day, Sunday or month: at "
        "02:00 UTC, unless you choose an hour and a time zone.",
    ),
    FormField(
        name="proof_days",
        label="Proof by value within",
        type="number",
        group="When",
        default=7,
        unit="nights",
        minimum=1,
        maximum=MOST_PROOF_DAYS,
        help="Every row is compared with the site value by value: small streams each night, of "
        "those with more than 100,000 documents a part each night.",
    ),
]
_ADVANCED = [
    FormField(
        name="max_concurrency",
        label="Requests at a time",
        type="number",
        group="Advanced",
        default=4,
        minimum=1,
        maximum=MOST_CONCURRENCY,
        advanced=True,
        help="The most that the site is asked at once; the hub slows down by itself.",
    ),
    FormField(
        name="allow_http",
        label="Allow plain HTTP",
        type="switch",
        group="Advanced",
        default=False,
        advanced=True,
        help="For a site inside of a network that you trust: the secret travels unencrypted.",
    ),
    FormField(
        name="ca_bundle",
        label="Certificate authorities",
        type="text",
        group="Advanced",
        advanced=True,
        placeholder="/etc/ssl/company.pem",
        help="A PEM file on the hub's machine, for a certificate of your own authority.",
    ),
]


class SiteBehaviour(Behaviour):
    """Of connections to ERPNext sites."""

    def wrong(self, values: Mapping[str, Any], settings: Settings) -> dict[str, str]:
        return wrong_values(values, settings)

    async def check(self, hub: Hub, connection: Connection) -> CheckReport:
        return await recheck(hub, connection)

    async def set_aside(
        self, hub: Hub, session: AsyncSession, connection: Connection, on_site: Sequence[OnSite]
    ) -> int:
        return await set_aside(hub, session, connection, on_site)

    async def remove(self, hub: Hub, number: int) -> RemovalAttempt:
        return await attempt(hub, number)

    async def forget(self, hub: Hub, connection_id: UUID) -> None:
        await pool_of(hub).forget(connection_id)


ERPNEXT = register_connector(
    ConnectorType(
        id="erpnext",
        label="ERPNext",
        description="Stock, sales orders, suppliers and everything else of an ERPNext site.",
        icon="⚙️",
        category="erp",
        words=[
            "frappe",
            "stock",
            "inventory",
            "orders",
            "warehouse",
            "customers",
            "two-way",
            "both ways",
        ],
        steps=[
            "Sign in to ERPNext as the user that the hub shall be; one of its own is best.",
            "Open the user's page: the picture at the top right, then My Settings.",
            "Under API Access, choose Generate Keys.",
            "Copy the API secret at once: it is shown this one time. The API key stays visible.",
            "Give the user roles that read what you want mirrored, such as Stock User and Sales "
            "User; without two-way sync the hub only reads.",
        ],
        fields=[*_SITE, *_SIGN_IN, *_WHAT, *_WHEN, *_ADVANCED],
        behaviour=SiteBehaviour(),
    )
)

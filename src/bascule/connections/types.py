"""The kinds of sites that can be connected, each with the form that a person fills in for it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from bascule.connections.examples import TYPE
from bascule.connections.frequency import CHOICES, DEFAULT
from bascule.sites.check import NEEDS
from bascule.sites.fields import MOST_CONCURRENCY, MOST_LOOKBACK_DAYS, MOST_PROOF_DAYS

FieldKind = Literal[
    "text", "url", "password", "switch", "number", "schedule", "presets", "warehouses"
]


class FormField(BaseModel):
    """`group`: fields of one group stand together, in the order of `GROUPS`."""

    name: str
    label: str
    type: FieldKind
    group: str
    required: bool = False
    default: bool | int | str | list[str] | None = None
    placeholder: str | None = None
    help: str
    where: str | None = Field(default=None, description="Where to find the value.")
    options: list[str] | None = None
    labels: list[str] | None = Field(default=None, description="The options in words.")
    unit: str | None = None
    minimum: int | None = None
    maximum: int | None = None
    secret: bool = Field(default=False, description="Never shown again once it is given.")
    advanced: bool = False


class ConnectorType(BaseModel):
    id: str
    label: str
    description: str
    icon: str
    category: str
    words: list[str] = Field(default=[], description="Other words that people search it by.")
    available: bool = True
    coming: str | None = Field(default=None, description="When, for one that is not there yet.")
    fields: list[FormField] = []
    steps: list[str] = Field(default=[], description="Where to find what the form asks for.")


class ConnectorTypes(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={"example": {"types": [TYPE], "categories": {"erp": "ERP"}}}
    )

    types: list[ConnectorType]
    categories: dict[str, str] = Field(description="Each category's name, in words.")


CATEGORIES = {
    "erp": "ERP",
    "finance": "Finance",
    "construction": "Construction",
    "files": "Files",
}
GROUPS = ("Site", "Sign-in", "What to mirror", "When", "Advanced")


def _coming(
    id: str, label: str, description: str, icon: str, category: str, when: str, *words: str
) -> ConnectorType:
    return ConnectorType(
        id=id,
        label=label,
        description=description,
        icon=icon,
        category=category,
        words=list(words),
        available=False,
        coming=when,
    )


COMING = [
    _coming(
        "bank",
        "Bank feeds",
        "Transactions of your bank accounts, as ERPNext's Bank Transactions.",
        "🏦",
        "finance",
        "Later",
        "payments",
        "statements",
        "reconciliation",
    ),
    _coming(
        "ifc",
        "IFC building models",
        "Quantities of a building model, as bills of materials and purchase orders.",
        "🏗️",
        "construction",
        "Later",
        "bim",
        "quantity takeoff",
        "bom",
    ),
    _coming(
        "nextcloud",
        "Nextcloud files",
        "Files that belong to a document, kept where your team keeps them.",
        "🗂️",
        "files",
        "Later",
        "documents",
        "attachments",
    ),
]
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
ERPNEXT = ConnectorType(
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
        "Give the user roles that read what you want mirrored, such as Stock User and Sales User; "
        "without two-way sync the hub only reads.",
    ],
    fields=[*_SITE, *_SIGN_IN, *_WHAT, *_WHEN, *_ADVANCED],
)
TYPES = [ERPNEXT, *COMING]


def find_types(words: str = "", category: str = "") -> list[ConnectorType]:
    """Those in which every word is found, whatever its case; of one category, if it is named."""
    wanted = words.casefold().split()

    def matches(kind: ConnectorType) -> bool:
        said = [kind.label, kind.description, CATEGORIES[kind.category], *kind.words]
        text = " ".join(said).casefold()
        return category in ("", kind.category) and all(word in text for word in wanted)

    return [kind for kind in TYPES if matches(kind)]

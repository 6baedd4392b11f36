"""The kinds of sites that can be connected, each with the form that a person fills in for it."""

from pydantic import BaseModel, Field

from bascule.connections.schedules import CHOICES


class FormField(BaseModel):
    name: str
    label: str
    type: str = Field(description="text, url, password, textarea, switch, number, list or choice")
    required: bool = False
    default: bool | int | str | list[str] | None = None
    placeholder: str | None = None
    help: str
    options: list[str] | None = None
    advanced: bool = False


class ConnectorType(BaseModel):
    id: str
    label: str
    description: str
    icon: str
    category: str
    fields: list[FormField]
    steps: list[str] = Field(description="Where to find what the form asks for.")


class ConnectorTypes(BaseModel):
    types: list[ConnectorType]


ERPNEXT = ConnectorType(
    id="erpnext",
    label="ERPNext",
    description="Stock, sales orders, suppliers and everything else of an ERPNext site.",
    icon="⚙️",
    category="erp",
    steps=[
        "Sign in to ERPNext as the user that the hub shall be; one of its own is best.",
        "Open the user's page: the picture at the top right, then My Settings.",
        "Under API Access, choose Generate Keys.",
        "Copy the API secret at once: it is shown this one time. The API key stays visible.",
        "Give the user roles that read what you want mirrored, such as Stock User and Sales User; "
        "the hub only reads.",
    ],
    fields=[
        FormField(
            name="name",
            label="Name",
            type="text",
            placeholder="Acme Trading",
            help="What you call this site. Left empty, its host name.",
        ),
        FormField(
            name="api_url",
            label="ERPNext URL",
            type="url",
            required=True,
            placeholder="https://erp.yourcompany.com",
            help="The address that you open in the browser.",
        ),
        FormField(
            name="api_key",
            label="API key",
            type="text",
            required=True,
            help="In ERPNext under My Settings, API Access.",
        ),
        FormField(
            name="api_secret",
            label="API secret",
            type="password",
            required=True,
            help="Shown once, when the keys are generated. It is kept encrypted.",
        ),
        FormField(
            name="sync_inventory",
            label="Inventory",
            type="switch",
            default=True,
            help="Items, their stock per warehouse, reorder levels and prices.",
        ),
        FormField(
            name="sync_orders",
            label="Sales orders",
            type="switch",
            default=True,
            help="Sales orders with their items, as far back as the lookback goes.",
        ),
        FormField(
            name="sync_suppliers",
            label="Suppliers",
            type="switch",
            default=True,
            help="Suppliers with their groups and payment terms.",
        ),
        FormField(
            name="schedule",
            label="Frequency",
            type="choice",
            default="daily",
            options=list(CHOICES),
            help="Daily is at 02:00 UTC, weekly on Sunday at 02:00 UTC.",
        ),
        FormField(
            name="lookback_days",
            label="Lookback in days",
            type="number",
            default=90,
            help="How old an order may be to be fetched.",
        ),
        FormField(
            name="warehouse_filter",
            label="Warehouses",
            type="list",
            default=[],
            placeholder="Stores - AT",
            help="Only stock in these. Empty: in all.",
        ),
        FormField(
            name="include_disabled",
            label="Show disabled",
            type="switch",
            default=False,
            advanced=True,
            help="Also show items, suppliers and customers that are disabled in ERPNext.",
        ),
        FormField(
            name="max_concurrency",
            label="Requests at a time",
            type="number",
            default=4,
            advanced=True,
            help="The most that the site is asked at once; the hub slows down by itself.",
        ),
        FormField(
            name="allow_http",
            label="Allow plain HTTP",
            type="switch",
            default=False,
            advanced=True,
            help="For a site inside of a network that you trust: the secret travels unencrypted.",
        ),
        FormField(
            name="ca_bundle",
            label="Certificate authorities",
            type="text",
            advanced=True,
            placeholder="/etc/ssl/company.pem",
            help="A PEM file on the hub's machine, for a certificate of your own authority.",
        ),
    ],
)
TYPES = [ERPNEXT]

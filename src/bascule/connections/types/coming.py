"""Connector types that are to come: shown in the grid, without a form."""

from bascule.connections.types.registry import ConnectorType, register_connector


def _coming(
    id: str, label: str, description: str, icon: str, category: str, *words: str
) -> ConnectorType:
    return register_connector(
        ConnectorType(
            id=id,
            label=label,
            description=description,
            icon=icon,
            category=category,
            words=words,
            coming="Later",
        )
    )


COMING = [
    _coming(
        "bank",
        "Bank feeds",
        "Transactions of your bank accounts, as ERPNext's Bank Transactions.",
        "🏦",
        "finance",
        "statements",
        "reconciliation",
        "plaid",
    ),
    _coming(
        "payments",
        "Payments",
        "Payment links, payments, refunds and payouts, as ERPNext's Payment Entries.",
        "💳",
        "finance",
        "gateway",
        "stripe",
        "cards",
    ),
    _coming(
        "ifc",
        "IFC building models",
        "Quantities of a building model, as bills of materials and purchase orders.",
        "🏗️",
        "construction",
        "bim",
        "quantity takeoff",
        "bom",
    ),
    _coming(
        "shipping",
        "Shipping",
        "Rates, labels and tracking of parcels, as ERPNext's Shipments.",
        "🚚",
        "logistics",
        "carriers",
        "delivery",
        "labels",
    ),
    _coming(
        "mongodb",
        "MongoDB",
        "Collections of a MongoDB database, beside what is mirrored from ERPNext.",
        "🍃",
        "data",
        "documents",
        "collections",
        "nosql",
    ),
    _coming(
        "nextcloud",
        "Nextcloud files",
        "Files that belong to a document, kept where your team keeps them.",
        "🗂️",
        "files",
        "documents",
        "attachments",
    ),
]

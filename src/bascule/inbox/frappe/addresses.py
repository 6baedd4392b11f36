"""The address of a webhook: which DocType it is about, and which connection it belongs to."""

from urllib.parse import quote

PATH = "/api/webhooks/erpnext/"
CONNECTION = "X-Bascule-Connection"  # a header with the token, for who cannot put it in the address
# Those that people hear of first have their plural, as in the seed of all this: .../customers.
PLURALS = {
    "customers": "Customer",
    "suppliers": "Supplier",
    "addresses": "Address",
    "contacts": "Contact",
}
RENAMES = "renames"  # of documents of any DocType
_PLURAL_OF = {doctype: plural for plural, doctype in PLURALS.items()}


def get_webhook_address(base_url: str, connector: str, doctype: str) -> str:
    """What ERPNext is given as a webhook's Request URL.

    `base_url`: where the site reaches the hub; `connector`: the public token of a connection's
    webhooks, which says whose they are and is no secret.
    """
    return f"{base_url.rstrip('/')}{PATH}{slug_of(doctype)}?connection={quote(connector, safe='')}"


def slug_of(doctype: str) -> str:
    """As ERPNext's own addresses have it: "Sales Order" is `sales-order`."""
    return _PLURAL_OF.get(doctype) or quote("-".join(doctype.lower().split()), safe="")


def is_at(slug: str, doctype: str) -> bool:
    """Whether this is the address of that DocType, as its plural or as its slug, or of all."""
    return slug == RENAMES or quote(slug, safe="") in (
        slug_of(doctype),
        quote("-".join(doctype.lower().split())),
    )

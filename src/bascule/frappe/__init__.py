"""A client for any Frappe site, usable alone: `from bascule.frappe import Site`.

What is listed here may be used, and what the modules without an underscore hold: `address`,
`checksums`, `doctype`, `errors`, `executed_sql`, `family_totals`, `permissions`,
`request_observer`, `side_effects`, `site_clock` and `walk_limit`. The rest may change.
"""

from bascule.frappe._documents import Documents
from bascule.frappe._dropped_fields import dropped_fields
from bascule.frappe._http.models import Request, Response
from bascule.frappe._http.network_errors import AddressNotAllowed
from bascule.frappe._http.outstanding import OUTSTANDING, OutstandingAnswers
from bascule.frappe._http.transport import AiohttpTransport, Transport
from bascule.frappe._lists.listable import check_listed, listed_name
from bascule.frappe._lists.page import Key, Page, PageSize, Position, is_mask
from bascule.frappe._site import Site
from bascule.frappe.address import site_url
from bascule.frappe.doctype import CHILD_FIELDS, STANDARD_FIELDS, DocType, Field
from bascule.frappe.errors import (
    AddressRefused,
    ChangedMeanwhile,
    Duplicate,
    FrappeError,
    Invalid,
    Linked,
    NeverEnds,
    NoPermission,
    NotAFrappeSite,
    NotFound,
    RateLimited,
    SiteDown,
    Timeout,
    TLSFailure,
    TooLarge,
    Unavailable,
    WrongCredentials,
)

__all__ = [
    "CHILD_FIELDS",
    "OUTSTANDING",
    "STANDARD_FIELDS",
    "AddressNotAllowed",
    "AddressRefused",
    "AiohttpTransport",
    "ChangedMeanwhile",
    "DocType",
    "Documents",
    "Duplicate",
    "Field",
    "FrappeError",
    "Invalid",
    "Key",
    "Linked",
    "NeverEnds",
    "NoPermission",
    "NotAFrappeSite",
    "NotFound",
    "OutstandingAnswers",
    "Page",
    "PageSize",
    "Position",
    "RateLimited",
    "Request",
    "Response",
    "Site",
    "SiteDown",
    "TLSFailure",
    "Timeout",
    "TooLarge",
    "Transport",
    "Unavailable",
    "WrongCredentials",
    "check_listed",
    "dropped_fields",
    "is_mask",
    "listed_name",
    "site_url",
]

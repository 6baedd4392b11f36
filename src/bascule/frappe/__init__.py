"""A client for any Frappe site, usable alone: `from bascule.frappe import Site`.

What is listed here may be used; the modules behind it may change.
"""

from bascule.frappe._documents import Documents
from bascule.frappe._dropped_fields import dropped_fields
from bascule.frappe._http.outstanding import OWED, Owed
from bascule.frappe._lists.listable import check_listed, listed_name
from bascule.frappe._lists.page import Page, PageSize, Position, is_mask
from bascule.frappe._site import Site
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
    "OWED",
    "STANDARD_FIELDS",
    "AddressRefused",
    "ChangedMeanwhile",
    "DocType",
    "Documents",
    "Duplicate",
    "Field",
    "FrappeError",
    "Invalid",
    "Linked",
    "NeverEnds",
    "NoPermission",
    "NotAFrappeSite",
    "NotFound",
    "Owed",
    "Page",
    "PageSize",
    "Position",
    "RateLimited",
    "Site",
    "SiteDown",
    "TLSFailure",
    "Timeout",
    "TooLarge",
    "Unavailable",
    "WrongCredentials",
    "check_listed",
    "dropped_fields",
    "is_mask",
    "listed_name",
]

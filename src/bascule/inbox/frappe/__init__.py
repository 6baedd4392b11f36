"""Frappe's dialect of the inbox, and the Webhook documents on a site.

What is listed here may be used; the modules behind it may change.
"""

from bascule.inbox.frappe.addresses import get_webhook_address
from bascule.inbox.frappe.changes import DocumentChange, subscribe
from bascule.inbox.frappe.signatures import is_signed, validate_webhooks_request
from bascule.inbox.frappe.source import ERPNEXT

__all__ = [
    "ERPNEXT",
    "DocumentChange",
    "get_webhook_address",
    "is_signed",
    "subscribe",
    "validate_webhooks_request",
]

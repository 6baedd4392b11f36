"""Webhooks that arrive: verified, kept, and then told to whoever listens.

What is listed here may be used; the modules behind it may change.
"""

from bascule.inbox.frappe.addresses import get_webhook_address
from bascule.inbox.frappe.signatures import is_signed, validate_webhooks_request
from bascule.inbox.subscribers import DocumentChange, subscribe

__all__ = [
    "DocumentChange",
    "get_webhook_address",
    "is_signed",
    "subscribe",
    "validate_webhooks_request",
]

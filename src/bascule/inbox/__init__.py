"""Webhooks that arrive, of any service: verified, kept, and then told to the subscribers.

What is listed here may be used; the modules behind it may change. Frappe's own dialect is
`bascule.inbox.frappe`.
"""

from bascule.inbox.endpoints import Endpoint, Endpoints, open_secrets
from bascule.inbox.sources import (
    Arrival,
    InboundEvent,
    Parsed,
    Source,
    Unreadable,
    register_source,
)
from bascule.inbox.subscribers import ALL, subscribe

__all__ = [
    "ALL",
    "Arrival",
    "Endpoint",
    "Endpoints",
    "InboundEvent",
    "Parsed",
    "Source",
    "Unreadable",
    "open_secrets",
    "register_source",
    "subscribe",
]

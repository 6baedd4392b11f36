"""Examples of connections for the OpenAPI."""

from typing import Any

CONNECTOR: dict[str, Any] = {
    "id": "8d0a6f01-1af7-4c6d-9ba4-f0c0b662a3fa",
    "slug": "acme_trading",
    "name": "Acme Trading",
    "group": "Berlin",
    "type": "erpnext",
    "shared": True,
    "owner_id": 1,
    "api_url": "https://erp.yourcompany.com",
    "api_key_ends_with": "e1f0",
    "api_secret_set": True,
    "allow_http": False,
    "ca_bundle": None,
    "max_concurrency": 4,
    "schedule": "daily",
    "next_sync_at": "2026-11-26T02:00:00Z",
    "next_verify_at": "2026-11-26T03:00:00Z",
    "sync_inventory": True,
    "sync_orders": True,
    "sync_suppliers": True,
    "lookback_days": 90,
    "proof_days": 7,
    "warehouse_filter": [],
    "include_disabled": False,
    "left_off": [],
    "health": "ok",
    "health_detail": None,
    "checked_at": "2026-11-25T09:30:00Z",
    "site_user": "hub@example.com",
    "time_zone": "Europe/Amsterdam",
    "versions": {"frappe": "15.44.2", "erpnext": "15.90.0"},
    "created_at": "2026-11-25T09:30:00Z",
    "updated_at": "2026-11-25T09:30:00Z",
}
CHECK: dict[str, Any] = {
    "ok": False,
    "health": "ok",
    "user": "hub@example.com",
    "versions": {"frappe": "15.44.2", "erpnext": "15.90.0"},
    "time_zone": "Europe/Amsterdam",
    "readable": {"Item": True, "Bin": True, "Item Price": False},
    "missing": ["Item Price"],
    "problems": [
        {
            "what": "Item Price may not be read, so there are no unit prices.",
            "next_step": "Give the user one of these roles in ERPNext: Sales Master Manager, "
            "Purchase Master Manager.",
            "doctype": "Item Price",
            "roles": ["Sales Master Manager", "Purchase Master Manager"],
        }
    ],
    "notes": [],
}
TYPE: dict[str, Any] = {
    "id": "erpnext",
    "label": "ERPNext",
    "description": "Stock, sales orders, suppliers and everything else of an ERPNext site.",
    "icon": "⚙️",
    "category": "erp",
    "words": ["frappe", "stock"],
    "available": True,
    "coming": None,
    "fields": [
        {
            "name": "api_url",
            "label": "ERPNext URL",
            "type": "url",
            "group": "Site",
            "required": True,
            "default": None,
            "placeholder": "https://erp.yourcompany.com",
            "help": "The address that you open in the browser.",
            "where": "Copy it from the browser's address bar; what follows the host name may stay.",
            "options": None,
            "labels": None,
            "unit": None,
            "minimum": None,
            "maximum": None,
            "secret": False,
            "advanced": False,
        }
    ],
    "steps": ["Under API Access, choose Generate Keys."],
}

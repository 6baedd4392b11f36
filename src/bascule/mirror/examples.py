"""What the OpenAPI shows streams, runs and their logs by."""

from typing import Any

STREAM: dict[str, Any] = {
    "id": 5,
    "doctype": "Sales Order",
    "preset": "orders",
    "table_name": "sales_order",
    "enabled": True,
    "filters": [["company", "=", "Acme Trading"]],
    "omit": ["terms"],
    "rename": {"custom_colour": "colour"},
    "rows": 711,
    "limits": "",
    "pending": None,
    "last_success_at": "2026-11-25T02:00:04Z",
    "last_verified_at": "2026-11-25T03:00:02Z",
    "verified_equal": True,
    "proof": "equal: 711 of 711 by value, 03:00; withheld: ignore_pricing_rule",
    "compared_at": "2026-11-25T08:15:01Z",
    "compared_by": "checksum",
    "withheld": [
        {
            "doctype": "Sales Order",
            "field": "ignore_pricing_rule",
            "needs": "permission level 1 of Sales Order (as Sales Manager has)",
        }
    ],
    "last_error": None,
    "last_error_step": None,
    "retry_at": None,
}
RUN: dict[str, Any] = {
    "id": 42,
    "connection_id": "8d0a6f01-1af7-4c6d-9ba4-f0c0b662a3fa",
    "stream_id": 5,
    "doctype": "Sales Order",
    "kind": "sync",
    "trigger": "schedule",
    "asked_by": None,
    "outcome": "done",
    "attempts": 1,
    "queued_at": "2026-11-25T02:00:00Z",
    "started_at": "2026-11-25T02:00:01Z",
    "finished_at": "2026-11-25T02:00:04Z",
    "seconds": 3.1,
    "expected_rows": None,
    "rows_read": 12,
    "rows_changed": 12,
    "rows_deleted": 1,
    "pages": 2,
    "bytes": 9120,
    "report": {},
    "error": None,
    "next_step": None,
}
LINE: dict[str, Any] = {
    "id": 318,
    "at": "2026-11-25T02:00:04Z",
    "level": "info",
    "message": "Done: 12 rows read, 12 written, 1 deleted, 711 here",
}
STATUS: dict[str, Any] = {
    "connector_id": "8d0a6f01-1af7-4c6d-9ba4-f0c0b662a3fa",
    "slug": "acme_trading",
    "name": "Acme Trading",
    "group": "Berlin",
    "type": "erpnext",
    "status": "failed",
    "last_sync_at": "2026-11-25T02:00:04Z",
    "next_sync_at": "2026-11-26T02:00:00Z",
    "paused_until": None,
    "schedule": "daily",
    "records": 928,
    "record_counts": {"Item": 217, "Item Price": 0, "Sales Order": 711},
    "health": "ok",
    "health_detail": None,
    "verified_at": "2026-11-25T03:00:02Z",
    "verified_equal": True,
    "proof": "equal: 928 of 928 by value, 03:00",
    "compared_at": "2026-11-25T08:15:01Z",
    "compared_by": "checksum",
    "problems": [
        {
            "stream": "Item Price",
            "what": "The user may not read Item Price.",
            "next_step": "Give the user one of these roles in ERPNext: Sales Master Manager.",
        }
    ],
    "attention": [
        {
            "kind": "failed",
            "what": "Item Price: The user may not read Item Price.",
            "next_step": "Give the user one of these roles in ERPNext: Sales Master Manager.",
            "streams": ["Item Price"],
            "mend": "sync",
        }
    ],
}
RELATIONS: Any = [
    {
        "name": "inventory",
        "doctype": "Item",
        "view": True,
        "child": False,
        "rows": 217,
        "guessed": False,
    },
    {
        "name": "item_reorder",
        "doctype": "Item Reorder",
        "view": False,
        "child": True,
        "rows": 370,
        "guessed": True,
    },
]

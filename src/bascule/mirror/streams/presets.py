"""The streams that come ready made, under the names that people use for them.

A preset is a group of DocTypes; their child tables (Item Reorder, Sales Order Item, ...) come
along with the parent. Any other DocType is a stream of its own, by its name.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from bascule.connections.tables import Connection


@dataclass(frozen=True, slots=True)
class Preset:
    name: str
    title: str
    doctypes: tuple[str, ...]
    switch: str | None = None  # the connection's setting that turns it on and off
    looks_back: dict[str, str] = field(default_factory=dict)  # DocType -> the date it is cut by


_PRESETS = (
    Preset(
        "inventory",
        "Items, stock and prices",
        ("Item", "Bin", "Item Price", "Warehouse"),
        "sync_inventory",
    ),
    Preset(
        "orders",
        "Sales orders",
        ("Sales Order",),
        "sync_orders",
        {"Sales Order": "transaction_date"},
    ),
    Preset("suppliers", "Suppliers", ("Supplier",), "sync_suppliers"),
    Preset("customers", "Customers", ("Customer", "Address", "Contact")),
    Preset(
        "purchase_orders",
        "Purchase orders",
        ("Purchase Order",),
        None,
        {"Purchase Order": "transaction_date"},
    ),
    Preset(
        "stock_movements",
        "Stock movements",
        ("Stock Ledger Entry", "Stock Entry"),
        None,
        {"Stock Ledger Entry": "posting_date", "Stock Entry": "posting_date"},
    ),
)
PRESETS: dict[str, Preset] = {preset.name: preset for preset in _PRESETS}
PRESET_OF: dict[str, Preset] = {
    doctype: preset for preset in _PRESETS for doctype in preset.doctypes
}


def presets_of(connection: Connection) -> list[Preset]:
    """The presets that a connection starts with: those switched on, and those without a switch."""
    return [p for p in _PRESETS if p.switch is None or getattr(connection, p.switch)]


def presets_named(names: Iterable[str]) -> list[Preset]:
    """The presets among these names, whatever their case and the way their words are joined."""
    return [preset for preset in map(_preset_named, names) if preset is not None]


def _preset_named(name: str) -> Preset | None:
    return PRESETS.get(name.lower().replace(" ", "_").replace("-", "_"))


def doctypes_named(names: Iterable[str]) -> list[str]:
    """DocTypes for names that are presets or DocTypes; each once, in the order given."""
    found: dict[str, None] = {}
    for name in names:
        preset = _preset_named(name)
        found.update(dict.fromkeys(preset.doctypes if preset else (name,)))
    return list(found)


def look_back_floor(connection: Connection, doctype: str, today: date) -> date | None:
    """The oldest date that a full pull of this DocType fetches, or None where all of it is."""
    preset = PRESET_OF.get(doctype)
    if preset is None or doctype not in preset.looks_back:
        return None
    return today - timedelta(days=connection.lookback_days)


def effective_filters(
    connection: Connection, doctype: str, own: list[Any], floor: date | None
) -> list[list[Any]]:
    """What the site is asked for: the stream's own filters, the look-back and the warehouses.

    Frappe's list form, ``[[field, operator, value], ...]``, all of which must hold.
    """
    filters: list[list[Any]] = [list(f) for f in own]
    preset = PRESET_OF.get(doctype)
    if floor is not None and preset is not None:
        filters.append([preset.looks_back[doctype], ">=", floor.isoformat()])
    if doctype == "Bin" and connection.warehouse_filter:
        filters.append(["warehouse", "in", list(connection.warehouse_filter)])
    return filters

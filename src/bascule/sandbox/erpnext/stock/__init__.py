"""Stock: items, prices, warehouses, and the stock ledger."""

from bascule.sandbox.core.doctypes import provide

provide(__package__)

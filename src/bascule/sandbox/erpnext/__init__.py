"""ERPNext, as an app on top of Frappe: DocTypes and what they do, module by module.

Importing it registers all of that with `core`, which imports nothing of it.
"""

from bascule.sandbox.erpnext import (
    manufacturing,
    naming,
    order_status,
    transactions,
    trees,
    vouchers,
)
from bascule.sandbox.erpnext.accounts import balances, bank_accounts, cost_centers, ledger_entries
from bascule.sandbox.erpnext.buying import mappers as buying_mappers
from bascule.sandbox.erpnext.buying import supplier_quotations
from bascule.sandbox.erpnext.parties import contacts, parties
from bascule.sandbox.erpnext.parties import naming as party_naming
from bascule.sandbox.erpnext.projects import projects, tasks
from bascule.sandbox.erpnext.selling import leads, quotations
from bascule.sandbox.erpnext.selling import mappers as selling_mappers
from bascule.sandbox.erpnext.setup import customizations, fixtures
from bascule.sandbox.erpnext.stock import item_prices, item_renames, items, ledger, warehouses

MODULES = (
    *(naming, order_status, transactions, trees, vouchers),
    *(balances, bank_accounts, cost_centers, ledger_entries),
    *(buying_mappers, supplier_quotations),
    manufacturing,
    *(contacts, parties, party_naming),
    *(projects, tasks),
    *(leads, quotations, selling_mappers),
    *(customizations, fixtures),
    *(item_prices, item_renames, items, ledger, warehouses),
)

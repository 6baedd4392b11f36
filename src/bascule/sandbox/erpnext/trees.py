"""The DocTypes of ERPNext that are trees."""

from bascule.sandbox.core.documents.trees import tree

# DocType -> the field that names a node's parent.
_PARENTS = {
    "Account": "parent_account",
    "Company": "parent_company",
    "Cost Center": "parent_cost_center",
    "Customer Group": "parent_customer_group",
    "Department": "parent_department",
    "Employee": "reports_to",
    "Item Group": "parent_item_group",
    "Sales Person": "parent_sales_person",
    "Supplier Group": "parent_supplier_group",
    "Task": "parent_task",
    "Territory": "parent_territory",
    "Warehouse": "parent_warehouse",
}
_WITH_A_ROOT = ("Customer Group", "Item Group", "Supplier Group", "Territory")

for _doctype, _parent in _PARENTS.items():
    tree(
        _doctype,
        _parent,
        takes_root=_doctype in _WITH_A_ROOT,
        leaves_gap=_doctype == "Warehouse",
    )

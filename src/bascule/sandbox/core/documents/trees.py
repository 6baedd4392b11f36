"""Trees: the places of a new node among the others, a root's children, and what ERPNext names.

Frappe keeps each node's left and right, between which those of its descendants lie.
"""

from typing import TYPE_CHECKING

from bascule.sandbox.core.database.tables import Row, column, quoted
from bascule.sandbox.core.doctypes.schema import DocType
from bascule.sandbox.core.documents import saving
from bascule.sandbox.core.documents.document import Document
from bascule.sandbox.core.documents.events import on
from bascule.sandbox.core.errors import Call, Refusal, bold
from bascule.sandbox.core.values import cint, cstr, flt

if TYPE_CHECKING:
    from bascule.sandbox.core.site import Site

# DocType -> the field that names a node's parent, where its definition does not say so.
TREES = {
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
# Of a Bin: while there is any of these, its warehouse stays.
_QUANTITIES = (
    *("actual_qty", "reserved_qty", "ordered_qty", "indented_qty", "projected_qty"),
    "planned_qty",
)
_WITH_A_ROOT = ("Customer Group", "Item Group", "Supplier Group", "Territory")


def parent_field(doctype: DocType) -> str:
    return doctype.definition.get("nsm_parent_field") or TREES[doctype.name]


def _place(site: "Site", call: Call, node: Document) -> None:
    """Where a node goes that is new, or has another parent than before; see nestedset.py."""
    if "lft" not in node.doctype.kinds:
        return
    field, table = parent_field(node.doctype), node.doctype.name
    there = site.tables.row(table, node.name) or {}
    if not (there.get("lft") or there.get("rgt")):
        place = _end_of(site, call, node, cstr(node[field]))
        _shift(site, table, place, 2)
        site.tables.update(table, node.name, {"lft": place, "rgt": place + 1})
    elif cstr(there.get("old_parent")) != cstr(node[field]):
        _move(site, call, node, there)
    kept = {"old_parent": cstr(node[field])} if "old_parent" in node.doctype.kinds else {}
    now = site.tables.row(table, node.name) or {}
    places = {"lft": now.get("lft"), "rgt": now.get("rgt")}
    saving.set_values(site, call, node, kept | places, moved=False)


def _end_of(site: "Site", call: Call, node: Document, parent: str) -> int:
    """The place of another last child of that parent, or of a further root."""
    table = quoted(node.doctype.name)
    above = site.tables.row(node.doctype.name, parent) if parent else None
    if above is None:
        return cint(site.tables.run(f"SELECT max(`rgt`) FROM {table}").fetchone()[0]) + 1
    within = f"SELECT 1 FROM {table} WHERE `name` = ? AND `lft` <= ? AND `rgt` >= ?"
    sides = (cint(above["lft"]), cint(above["rgt"]))
    if site.tables.run(within, (node.name, *sides)).fetchone():
        call.raise_told(
            Refusal(
                "NestedSetRecursionError",
                "Item cannot be added to its own descendants",
                module="frappe.utils.nestedset",
                status=417,
            )
        )
    return sides[1]


def _shift(site: "Site", table: str, place: int, by: int) -> None:
    """All that is at that place or behind it moves; nobody's `modified` does."""
    for side in ("lft", "rgt"):
        site.tables.run(
            f"UPDATE {quoted(table)} SET {column(side)} = {column(side)} + ?"
            f" WHERE {column(side)} >= ?",
            (by, place),
        )


def _move(site: "Site", call: Call, node: Document, there: Row) -> None:
    """The node and all below it: out of the tree, the gap closed, and in again elsewhere."""
    table, parent = node.doctype.name, cstr(node[parent_field(node.doctype)])
    left, right = cint(there["lft"]), cint(there["rgt"])
    width = right - left + 1
    _end_of(site, call, node, parent)
    site.tables.run(
        f"UPDATE {quoted(table)} SET `lft` = -`lft`, `rgt` = -`rgt`"
        " WHERE `lft` >= ? AND `rgt` <= ?",
        (left, right),
    )
    _shift(site, table, right + 1, -width)
    place = _end_of(site, call, node, parent)
    _shift(site, table, place, width)
    site.tables.run(
        f"UPDATE {quoted(table)} SET `lft` = ? - `lft`, `rgt` = ? - `rgt` WHERE `lft` < 0",
        (place - left, place - left),
    )


def rebuild(site: "Site", doctype: DocType) -> None:
    """All places anew, roots by name, children as MariaDB finds them; no `modified` moves."""
    parent = column(parent_field(doctype))
    table = quoted(doctype.name)

    def number(name: str, left: int) -> int:
        right = left + 1
        below = f"SELECT `name` FROM {table} WHERE {parent} = ? ORDER BY `name`"
        for (child,) in site.tables.run(below, (name,)).fetchall():
            right = number(child, right)
        site.tables.update(doctype.name, name, {"lft": left, "rgt": right})
        return right + 1

    at = 1
    roots = f"SELECT `name` FROM {table} WHERE ifnull({parent}, '') = '' ORDER BY `name`"
    for (root,) in site.tables.run(roots).fetchall():
        at = number(root, at)


def _leave(site: "Site", call: Call, node: Document) -> None:
    """A node that is deleted goes behind all others first, so that no gap is left."""
    _check_children(site, call, node)
    if "lft" in node.doctype.kinds:
        node[parent_field(node.doctype)] = ""
        _move(site, call, node, site.tables.row(node.doctype.name, node.name) or node.values)


def _check_children(site: "Site", call: Call, node: Document) -> None:
    if site.tables.rows(node.doctype.name, **{parent_field(node.doctype): node.name}):
        call.raise_told(
            Refusal(
                "NestedSetChildExistsError",
                f"Cannot delete {node.name} as it has child nodes",
                module="frappe.utils.nestedset",
                status=417,
            )
        )


def _take_root(site: "Site", call: Call, node: Document) -> None:
    """A group without a parent is put below the root."""
    field = parent_field(node.doctype)
    if node[field] or not node.is_new:
        return
    roots = site.tables.rows(node.doctype.name, "`lft`", **{field: ""})
    roots = roots or [row for row in site.tables.rows(node.doctype.name) if not row[field]]
    if roots and roots[0]["name"] != node.name:
        node[field] = roots[0]["name"]


@on("Warehouse", "on_trash")
def _check_stock(site: "Site", call: Call, warehouse: Document) -> None:
    """Where something is, was, or is awaited stays; so does what others are in."""
    for row in site.tables.rows("Bin", "`creation` DESC", warehouse=warehouse.name):
        if any(flt(row.get(field)) for field in _QUANTITIES):
            told = "can not be deleted as quantity exists for Item"
            call.refuse(f"Warehouse {warehouse.name} {told} {row['item_code']}")
    if site.tables.rows("Stock Ledger Entry", warehouse=warehouse.name):
        call.refuse("Warehouse can not be deleted as stock ledger entry exists for this warehouse.")
    if site.tables.rows("Warehouse", parent_warehouse=warehouse.name):
        call.refuse("Child warehouse exists for this warehouse. You can not delete this warehouse.")
    if site.tables.has("Bin"):
        site.tables.delete("Bin", warehouse=warehouse.name)


@on("Warehouse", "validate")
def _warn_of_accounts(site: "Site", call: Call, warehouse: Document) -> None:
    """Another account than those in which its stock is booked is taken, and told of."""
    there = warehouse.before
    if there is None or cstr(there["account"]) == cstr(warehouse["account"]):
        return
    booked = site.tables.run(
        "SELECT DISTINCT g.`account` FROM `tabStock Ledger Entry` s"
        " JOIN `tabGL Entry` g ON s.`voucher_no` = g.`voucher_no`"
        " JOIN `tabAccount` a ON a.`name` = g.`account`"
        " WHERE s.`warehouse` = ? AND a.`account_type` = 'Stock' ORDER BY s.`creation`",
        (warehouse.name,),
    )
    accounts = [row[0] for row in booked]
    if accounts and accounts != [warehouse["account"]]:
        call.tell(
            "Warehouse's Stock Value has already been booked in the following accounts:<br>"
            f"{', '.join(map(bold, accounts))}<br><br>Booking stock value across multiple accounts"
            " will make it harder to track stock and account value.",
            title="Multiple Warehouse Accounts",
            indicator="orange",
        )


for _doctype in TREES:
    on(_doctype, "on_update")(_place)
    if _doctype != "Warehouse":  # one that is gone leaves a gap
        on(_doctype, "on_trash")(_leave)
for _doctype in _WITH_A_ROOT:
    on(_doctype, "validate")(_take_root)


@on("Warehouse", "autoname")
def _name_warehouse(site: "Site", call: Call, warehouse: Document) -> None:
    """By its name and its company's abbreviation."""
    name = cstr(warehouse["warehouse_name"])
    short = site.tables.value("Company", cstr(warehouse["company"]), "abbr")
    ending = f" - {short}" if short else ""
    warehouse["name"] = name if name.endswith(ending) else f"{name}{ending}"

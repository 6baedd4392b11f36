"""Trees: the places of a new node among the others, a root's children, and what ERPNext names.

Frappe keeps each node's left and right, between which those of its descendants lie.
"""

from typing import TYPE_CHECKING

from bascule.sandbox import saving
from bascule.sandbox.document import Document
from bascule.sandbox.errors import Call, Refusal
from bascule.sandbox.events import on
from bascule.sandbox.tables import column, quoted
from bascule.sandbox.values import cint, cstr

if TYPE_CHECKING:
    from bascule.sandbox.site import Site

_TREES = (
    *("Account", "Cost Center", "Customer Group", "Department", "Item Group", "Sales Person"),
    *("Supplier Group", "Territory", "Warehouse"),
)
_WITH_A_ROOT = ("Customer Group", "Item Group", "Supplier Group", "Territory")


def parent_field(document: Document) -> str:
    given = document.doctype.definition.get("nsm_parent_field")
    return given or f"parent_{document.doctype.name.replace(' ', '_').lower()}"


def _place(site: "Site", call: Call, node: Document) -> None:
    """Last below its parent, or behind all others; the places after it move on by two."""
    field = parent_field(node)
    if node.before is not None or "lft" not in node.doctype.kinds:
        return
    table = quoted(node.doctype.name)
    above = site.tables.row(node.doctype.name, cstr(node[field])) or {}
    if above:
        place = cint(above["rgt"])
        for side in ("lft", "rgt"):
            site.tables.run(
                f"UPDATE {table} SET {column(side)} = {column(side)} + 2 WHERE {column(side)} >= ?",
                (place,),
            )
    else:
        last = site.tables.run(f"SELECT max(`rgt`) FROM {table}").fetchone()
        place = cint(last[0]) + 1
    values = {"lft": place, "rgt": place + 1, "old_parent": cstr(node[field])}
    saving.set_values(site, call, node, values, moved=False)


def _check_children(site: "Site", call: Call, node: Document) -> None:
    if site.tables.rows(node.doctype.name, **{parent_field(node): node.name}):
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
    field = parent_field(node)
    if node[field] or not node.is_new:
        return
    roots = site.tables.rows(node.doctype.name, "`lft`", **{field: ""})
    roots = roots or [row for row in site.tables.rows(node.doctype.name) if not row[field]]
    if roots and roots[0]["name"] != node.name:
        node[field] = roots[0]["name"]


for _doctype in _TREES:
    on(_doctype, "on_update")(_place)
    on(_doctype, "on_trash")(_check_children)
for _doctype in _WITH_A_ROOT:
    on(_doctype, "validate")(_take_root)


@on("Warehouse", "autoname")
def _name_warehouse(site: "Site", call: Call, warehouse: Document) -> None:
    """By its name and its company's abbreviation."""
    name = cstr(warehouse["warehouse_name"])
    short = site.tables.value("Company", cstr(warehouse["company"]), "abbr")
    ending = f" - {short}" if short else ""
    warehouse["name"] = name if name.endswith(ending) else f"{name}{ending}"

"""Trees: the places of nodes among each other.

Frappe keeps a left and a right for each node; those of its descendants lie between them.
"""

from typing import TYPE_CHECKING

from bascule.sandbox.core.database.tables import Row, column, quoted
from bascule.sandbox.core.doctypes.schema import DocType
from bascule.sandbox.core.documents import saving
from bascule.sandbox.core.documents.document import Document
from bascule.sandbox.core.documents.events import on
from bascule.sandbox.core.errors import Call, Refusal
from bascule.sandbox.core.values import cint, cstr

if TYPE_CHECKING:
    from bascule.sandbox.core.site import Site

# DocType -> the field that names a node's parent, where its definition does not say so.
_PARENTS: dict[str, str] = {}


def tree(doctype: str, parent: str, *, takes_root: bool = False, leaves_gap: bool = False) -> None:
    """Makes a tree of that DocType; `parent` is the field that names a node's parent.

    `takes_root`: a group without a parent is put below the root. `leaves_gap`: a deleted node is
    not moved behind all others first.
    """
    _PARENTS[doctype] = parent
    on(doctype, "on_update")(_place)
    on(doctype, "after_rename")(_rename)
    if not leaves_gap:
        on(doctype, "on_trash")(_leave)
    if takes_root:
        on(doctype, "validate")(_take_root)


def parent_field(doctype: DocType) -> str:
    return doctype.definition.get("nsm_parent_field") or _PARENTS[doctype.name]


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


def _rename(site: "Site", call: Call, node: Document) -> None:
    """Its children know it as their old parent; after a merge the whole tree is numbered anew."""
    if "old_parent" in node.doctype.kinds:
        site.tables.run(
            f"UPDATE {quoted(node.doctype.name)} SET `old_parent` = ?"
            f" WHERE {column(parent_field(node.doctype))} = ?",
            (node.name, node.name),
        )
    if node.renaming is not None and node.renaming.merge:
        rebuild(site, node.doctype)

"""Documents made of others: frappe.model.mapper, and what its mappers have in common.

A mapped document is not stored; who asked for it changes it and inserts it. Follows
frappe/model/mapper.py.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bascule.sandbox.core.database.tables import Row
from bascule.sandbox.core.doctypes.schema import OF_CHILDREN, STANDARD, DocType
from bascule.sandbox.core.documents.defaults import set_defaults
from bascule.sandbox.core.documents.document import Document
from bascule.sandbox.core.documents.events import fire
from bascule.sandbox.core.errors import Call
from bascule.sandbox.core.methods.whitelist import not_whitelisted, parsed, whitelisted
from bascule.sandbox.core.site import Site

MAPPERS: dict[str, "Mapping"] = {}
_NEVER = {*STANDARD, *OF_CHILDREN, "doctype"}
_SUBMITTED = 1


@dataclass
class Asked:
    """One mapping that is under way: for whom, and which rows of which table were chosen."""

    site: Site
    call: Call
    chosen: dict[str, list[str]] = field(default_factory=dict)


@dataclass
class Mapping:
    """From a submitted document of `source` to a new one of `target`, rows of `items` one by one.

    `fields` and `row_fields`: field of the source -> field of the target, besides those of one
    name. `wanted` says how much of a row is left: rows of which nothing is are left out. `first`
    may refuse; `then` completes the target; `none_left` is told when no row is left.
    """

    source: str
    target: str
    row_fields: dict[str, str]
    wanted: Callable[[Site, Document], float]
    fields: dict[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    first: Callable[[Site, Call, Document], None] | None = None
    then: Callable[[Site, Call, Document, Document], None] | None = None
    none_left: str = ""


def mapper(path: str, mapping: Mapping) -> None:
    """Registers the mapping by the path of ERPNext's own function, to be called by that too."""
    MAPPERS[path] = mapping

    @whitelisted(path)
    def call_mapper(site: Site, call: Call, source_name: Any, target_doc: Any = None) -> Row:
        return _shown(site, call, mapped(Asked(site, call), mapping, source_name, target_doc))


@whitelisted("frappe.model.mapper.make_mapped_doc")
def make_mapped_doc(
    site: Site, call: Call, method: Any, source_name: Any, selected_children: Any = None
) -> Row:
    mapping = MAPPERS.get(str(method))
    if mapping is None:
        not_whitelisted(call, str(method))
    chosen = parsed(selected_children) if selected_children else {}
    return _shown(site, call, mapped(Asked(site, call, chosen), mapping, source_name))


def mapped(asked: Asked, mapping: Mapping, name: Any, target_doc: Any = None) -> Document:
    site, call = asked.site, asked.call
    target = Document(site.doctype(call, mapping.target), {}, is_new=True)
    if target_doc:
        target.update(site.schema, dict(parsed(target_doc)))
    set_defaults(site, call, target)
    site.check(call, target, "create")
    source = site.document(call, mapping.source, str(name))
    site.check(call, source, "read")
    if mapping.first:
        mapping.first(site, call, source)
    if source.docstatus != _SUBMITTED:
        call.refuse("Cannot map because following condition fails: docstatus=1")
    _map_fields(site, source, target, None, mapping.fields, mapping.without)
    for entry in source.doctype.tables:
        table = str(entry["fieldname"])
        for row in _chosen(asked, source, table):
            if table == "items":
                _map_item(site, call, mapping, source, target, row)
            elif _is_copied(source.doctype, target.doctype, table):
                _map_row(site, source, target, table, row, {})
    if mapping.none_left and not target.rows["items"]:
        call.refuse(mapping.none_left)
    set_defaults(site, call, target)
    if mapping.then:
        mapping.then(site, call, source, target)
    fire(site, call, target, "before_validate")
    return target


def _chosen(asked: Asked, source: Document, table: str) -> list[Document]:
    names = asked.chosen.get(table)
    return [row for row in source.rows[table] if not names or row.name in names]


def _is_copied(source: DocType, target: DocType, table: str) -> bool:
    """Tables of one name and one DocType are copied, unless either says otherwise."""
    mine, its = source.field(table), target.field(table)
    if mine is None or its is None or mine.get("options") != its.get("options"):
        return False
    return not (mine.get("no_copy") or its.get("no_copy"))


def _map_item(
    site: Site, call: Call, mapping: Mapping, source: Document, target: Document, row: Document
) -> None:
    left = mapping.wanted(site, row)
    if left:
        made = _map_row(site, source, target, "items", row, mapping.row_fields)
        made["qty"] = left


def _map_row(
    site: Site,
    source: Document,
    target: Document,
    table: str,
    row: Document,
    fields: dict[str, str],
) -> Document:
    made = target.append(site.schema, table, {})
    _map_fields(site, row, made, source, fields, ())
    return made


def _map_fields(
    site: Site,
    source: Document,
    target: Document,
    parent: Document | None,
    fields: dict[str, str],
    without: tuple[str, ...],
) -> None:
    kept = _NEVER | set(without)
    for doctype in (source.doctype, target.doctype):
        kept |= {one["fieldname"] for one in doctype.fields if one.get("no_copy")}
        kept |= {one["fieldname"] for one in doctype.tables}
    for entry in target.doctype.with_value:
        name, options = entry["fieldname"], entry.get("options")
        if name in kept:
            continue
        value = source[name]
        if value not in (None, ""):
            target[name] = value
        elif entry["fieldtype"] == "Link" and not target[name]:
            held = [one for one in (source, parent) if one and one.doctype.name == options]
            if held:
                target[name] = held[0].name
    for name, into in fields.items():
        if source[name] not in (None, "") and into in target.doctype.kinds:
            target[into] = source[name]
    _fetch(site, target, kept)


def _fetch(site: Site, target: Document, kept: set[str]) -> None:
    """What read-only fields show of a linked document, where nothing is there yet."""
    for entry in target.doctype.with_value:
        name, kind = entry["fieldname"], entry["fieldtype"]
        link, _, field_ = str(entry.get("fetch_from") or "").partition(".")
        linked = (target.doctype.field(link) or {}).get("options") if link else None
        if name in kept or not (kind == "Read Only" or entry.get("read_only")):
            continue
        if linked not in site.schema or not target[link] or (target[name] and kind != "Read Only"):
            continue
        if field_ in site.schema[str(linked)].kinds:
            value = site.tables.value(str(linked), str(target[link]), field_)
            target[name] = target[name] if value in (None, "") else value


def _shown(site: Site, call: Call, document: Document) -> Row:
    shown = site.shown(call, document)
    for rows in (shown.get(str(entry["fieldname"])) for entry in document.doctype.tables):
        for row in rows or ():
            row.pop("__unsaved", None)
            row["__islocal"] = 1
    return {**shown, "__islocal": 1, "__onload": {"load_after_mapping": True}}

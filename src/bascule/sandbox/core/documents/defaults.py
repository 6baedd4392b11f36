"""What a new document has before anybody says so: the site's defaults and its fields' own."""

from typing import TYPE_CHECKING, Any

from bascule.sandbox.core.database.tables import Row
from bascule.sandbox.core.doctypes.schema import NO_VALUE, DocType
from bascule.sandbox.core.documents.document import Document
from bascule.sandbox.core.values import cint, cstr, flt
from bascule.sandbox.core.versions import SIXTEEN

if TYPE_CHECKING:
    from bascule.sandbox.core.errors import Call
    from bascule.sandbox.core.site import Site


def set_defaults(site: "Site", call: "Call", document: Document) -> None:
    """Fills what is not given, in the document if it is new and in its new rows."""
    if document.is_new:
        _fill(document, _template(site, call, document.doctype, None))
    for rows in document.rows.values():
        for row in rows:
            if row.is_new:
                row.unsaved = True
                _fill(row, _template(site, call, row.doctype, document))


def _fill(document: Document, template: Row) -> None:
    for field, value in template.items():
        if value is not None and document[field] is None:
            document[field] = value


def _template(site: "Site", call: "Call", doctype: DocType, parent: Document | None) -> Row:
    values: Row = {"docstatus": 0}
    mine = site.defaults()
    for entry in doctype.fields:
        if entry["fieldtype"] in NO_VALUE:
            continue
        value = _default(site, call, doctype, entry, parent, mine)
        values[entry["fieldname"]] = _number(entry["fieldtype"], value)
    return values


def _default(
    site: "Site", call: "Call", doctype: DocType, entry: Row, parent: Document | None, mine: Row
) -> Any:
    name, kind, default = entry["fieldname"], entry["fieldtype"], cstr(entry.get("default"))
    now = doctype.major < SIXTEEN or default.lower() == "now"
    if kind == "Time" and now:
        return site.clock.now().strftime("%H:%M:%S.%f")
    if kind == "Link" and entry.get("options") != "User" and mine.get(name):
        return mine[name] if site.exists(str(entry.get("options")), mine[name]) else None
    if default.startswith(":"):
        return _of_another(site, default[1:], name, parent)
    if kind == "Datetime" and default.lower() == "now":
        return site.now()
    if name == doctype.definition.get("title_field"):
        return None
    special = {"__user": call.user, "Today": str(site.clock.now().date())}
    if default:
        return special.get(default, default)
    if kind == "Select" and entry.get("options"):
        return str(entry["options"]).split("\n")[0]
    return None


def _of_another(site: "Site", doctype: str, field: str, parent: Document | None) -> Any:
    """`:Company` is the company's value of a field of that name."""
    pointer = doctype.lower().replace(" ", "_")
    name = parent[pointer] if parent is not None else site.defaults().get(pointer)
    if name is None or doctype not in site.schema:
        return None
    if field not in site.schema[doctype].kinds:
        return None
    return site.tables.value(doctype, name, field)


def _number(kind: str, value: Any) -> Any:
    if kind == "Check":
        return cint(value)
    if value is None:
        return None
    if kind == "Int":
        return cint(value)
    return flt(value) if kind in ("Float", "Currency", "Percent") else value

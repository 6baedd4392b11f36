"""What a Link field offers while somebody types: frappe.desk.search.

Follows frappe/desk/search.py and, for users, frappe/core/doctype/user/user.py.
"""

import re
from typing import Any

from bascule.sandbox.core.access.permissions import ADMINISTRATOR, GUEST
from bascule.sandbox.core.database.tables import Row
from bascule.sandbox.core.doctypes.schema import DocType
from bascule.sandbox.core.errors import Call
from bascule.sandbox.core.methods.whitelist import parsed, run, whitelisted
from bascule.sandbox.core.query.query import Asked
from bascule.sandbox.core.site import Site
from bascule.sandbox.core.values import cint, cstr

# DocTypes whose names are translated: all of them are compared, however many are asked for.
_TRANSLATED = ("DocType", "Role")
_SEARCHED = {
    *("Data", "Text", "Small Text", "Long Text", "Link", "Select", "Read Only", "Text Editor"),
}


@whitelisted("frappe.desk.search.search_link")
def search_link(
    site: Site,
    call: Call,
    doctype: Any,
    txt: Any,
    query: Any = None,
    filters: Any = None,
    page_length: Any = 10,
    searchfield: Any = None,
    reference_doctype: Any = None,
    ignore_user_permissions: bool = False,
) -> list[Row]:
    """`value` and `description` of each; `label` where the DocType shows its title in links."""
    about, text = site.doctype(call, doctype), cstr(txt).strip()
    given = parsed(filters) if filters else None
    length = cint(page_length)
    if query:
        asked = {"doctype": about.name, "txt": text, "searchfield": searchfield or "name"}
        asked |= {"start": 0, "page_len": length, "filters": given}
        rows = [list(row) for row in run(site, call, str(query), asked)]
    elif about.name == "User":
        rows = _users(site, call, text, dict(given) if isinstance(given, dict) else {}, length)
    else:
        rows = _found(site, call, about, text, given, length, searchfield)
    return [_suggestion(row, titled=_is_titled(about)) for row in rows]


def _is_titled(doctype: DocType) -> bool:
    return bool(cint(doctype.definition.get("show_title_field_in_link")))


def _found(
    site: Site,
    call: Call,
    doctype: DocType,
    text: str,
    given: Any,
    length: int,
    searchfield: Any,
) -> list[list[Any]]:
    translated = doctype.name in _TRANSLATED
    names, searched = _names(doctype, searchfield)
    filters = _filters(doctype, given)
    either = [[doctype.name, name, "like", f"%{text}%"] for name in searched]
    asked = Asked(
        doctype.name,
        fields=list(dict.fromkeys(names)),
        filters=filters or None,
        or_filters=either if text and not translated else None,
        order_by=_order(doctype),
        limit=0,
    )
    asker = Call(ADMINISTRATOR, major=call.major) if doctype.name == "DocType" else call
    rows = [[row.get(name) for name in names] for row in site.rows(asker, asked)]
    if translated:
        pattern = re.compile(re.escape(text), re.IGNORECASE)
        rows = [row for row in rows if any(pattern.search(cstr(value)) for value in row)]
    else:
        rows.sort(key=lambda row: _place(cstr(row[0]), text))
        rows = rows[:length] if length else rows
    return sorted(rows, key=lambda row: _rank(cstr(row[0]), text))


def _names(doctype: DocType, searchfield: Any) -> tuple[list[str], list[str]]:
    """The columns that are shown, and those that are searched."""
    title = cstr(doctype.definition.get("title_field"))
    more = [one.strip() for one in cstr(doctype.definition.get("search_fields")).split(",")]
    more = [one for one in more if one]
    shown = list(dict.fromkeys(filter(None, ("name", title, cstr(searchfield), *more))))
    if title and _is_titled(doctype):
        shown.insert(1, title)
    known = [one for one in dict.fromkeys((title, *more)) if doctype.field(one)]
    fields = {one: doctype.field(one) or {} for one in known}
    return shown, ["name", *(one for one in known if fields[one].get("fieldtype") in _SEARCHED)]


def _filters(doctype: DocType, given: Any) -> list[Any]:
    filters: list[Any] = []
    if isinstance(given, dict):
        for name, value in given.items():
            pair = list(value) if isinstance(value, list | tuple) else ["=", value]
            filters.append([doctype.name, name, *pair])
    elif given:
        filters = list(given)
    for name, operator in (("enabled", "="), ("disabled", "!=")):
        if (doctype.field(name) or {}).get("fieldtype") == "Check":
            filters.append([doctype.name, name, operator, 1])
    return filters


def _order(doctype: DocType) -> str:
    """What was linked to most often comes first."""
    field = cstr(doctype.definition.get("sort_field")) or "modified"
    order = cstr(doctype.definition.get("sort_order")) or "DESC"
    usual = field if "," in field else f"{field} {order}"
    submittable = "docstatus asc, " if doctype.is_submittable else ""
    return f"idx desc, {submittable}{usual}"


def _place(name: str, text: str) -> float:
    """Names in which the text comes early come first, those without it last."""
    found = name.casefold().find(text.replace("%", "").replace("@", "").casefold())
    return found if found >= 0 else float("inf")


def _rank(name: str, text: str) -> tuple[bool, str]:
    return not name.casefold().startswith(text.casefold()), name


def _suggestion(row: list[Any], *, titled: bool) -> Row:
    if not titled:
        return {"value": row[0], "description": _joined(row[1:])}
    row = row if len(row) > 1 else [row[0], row[0]]
    label, rest = row[1], row[2:]
    if rest and rest[0] == label:
        rest = rest[1:]
    found: Row = {"value": row[0], "description": _joined([row[0], *rest])}
    return {**found, "label": label} if label else found


def _joined(parts: list[Any]) -> str:
    return ", ".join(dict.fromkeys(cstr(part) for part in parts if part))


def _users(site: Site, call: Call, text: str, given: Row, length: int) -> list[list[Any]]:
    """Enabled users but for Administrator and Guest, by name or by what they are called."""
    filters = [["enabled", "=", 1], ["name", "not in", [ADMINISTRATOR, GUEST]]]
    if not given.pop("ignore_user_type", None):
        filters.append(["user_type", "!=", "Website User"])
    parts = [one for one in ("first_name", "middle_name", "last_name") if _has(site, one)]
    asked = Asked(
        "User",
        fields=["name", *parts],
        filters=[*filters, *_filters_of_users(given)],
        order_by="name asc",
        limit=0,
    )
    wanted, found = text.casefold(), []
    for row in site.rows(call, asked):
        called = " ".join(cstr(row[one]) for one in parts if row[one])
        by_name, by_call = wanted in row["name"].casefold(), wanted in called.casefold()
        if by_name or by_call:
            found.append((not by_name, not by_call, [row["name"], called]))
    found.sort(key=lambda one: one[:2])
    rows = [row for _, _, row in found]
    return rows[:length] if length else rows


def _has(site: Site, field: str) -> bool:
    return site.schema["User"].field(field) is not None


def _filters_of_users(given: Row) -> list[Any]:
    return [
        [name, *value] if isinstance(value, list | tuple) else [name, "=", value]
        for name, value in given.items()
    ]

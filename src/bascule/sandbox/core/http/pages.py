"""A document as a plain page, where ERPNext has its form, and the desk as an empty one."""

from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING, Any

from bascule.sandbox.core.access.permissions import ADMINISTRATOR
from bascule.sandbox.core.errors import Call

if TYPE_CHECKING:
    from bascule.sandbox.core.doctypes.schema import DocType
    from bascule.sandbox.core.site import Site

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>{script}</head>
<body style="font-family: system-ui; margin: 2rem; color-scheme: light dark">
<p>Bascule's sandbox: ERPNext would show its {what} here.</p>{body}</body></html>"""
NOT_THERE = _PAGE.format(
    title="Not found", script="", what="form", body="<h1>There is no such document.</h1>"
)


def desk_page(csrf_token: str) -> str:
    return _PAGE.format(title="Desk", script=_script(csrf_token), what="desk", body="")


def page_of(site: "Site", slug: str, name: str, csrf_token: str = "") -> str | None:
    """The document `name`; None where there is none.

    `slug`: the DocType as ERPNext writes it in addresses. `csrf_token`: of the reader's session.
    """
    doctype = next((one for one in site.schema if _slug(one.name) == slug), None)
    if doctype is None:
        return None
    with site.transaction(keep=False):
        call = Call(ADMINISTRATOR)
        found = site.load(doctype.name, name)
        if found is None:
            return None
        shown = site.shown(call, found, nulls=False)
    title = escape(f"{doctype.name} {name}")
    parts = [f"<h1>{title}</h1>", _table(_fields(doctype, shown))]
    for entry in doctype.tables:
        if rows := shown.get(str(entry["fieldname"])):
            parts.append(f"<h2>{escape(str(entry.get('label') or entry['fieldname']))}</h2>")
            child = site.schema[str(entry.get("options"))]
            parts += [_table(_fields(child, row)) for row in rows]
    script = _script(csrf_token) if csrf_token else ""
    return _PAGE.format(title=title, script=script, what="form", body="".join(parts))


def _script(csrf_token: str) -> str:
    """Where Frappe's own pages have the token, and clients look for it."""
    return f'<script>window.frappe = {{}}; frappe.csrf_token = "{csrf_token}";</script>'


def _fields(doctype: "DocType", row: dict[str, Any]) -> Iterator[tuple[str, str]]:
    labels = {str(one["fieldname"]): str(one.get("label") or "") for one in doctype.fields}
    for field, value in row.items():
        if value not in (None, "") and not isinstance(value, list):
            yield labels.get(field) or field, str(value)


def _table(rows: Iterator[tuple[str, str]]) -> str:
    cells = "".join(
        f"<tr><th align='left'>{escape(label)}</th><td>{escape(value)}</td></tr>"
        for label, value in rows
    )
    return f"<table cellpadding='4'>{cells}</table>"


def _slug(doctype: str) -> str:
    return doctype.lower().replace(" ", "-")

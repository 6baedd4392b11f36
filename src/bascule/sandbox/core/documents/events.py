"""The events of a document's life, and what DocTypes do at them.

A DocType's module registers with `@on("Customer", "validate")`, or `@on("*", ...)` for all
DocTypes; `saving`, `deleting` and `renaming` fire. Events have the names of Frappe's methods:
`autoname`, `on_trash` and so on.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from bascule.sandbox.core.documents.document import Document
from bascule.sandbox.core.errors import Call, Refusal

if TYPE_CHECKING:
    from bascule.sandbox.core.site import Site

_Doing = Callable[["Site", Call, Document], None]
_DOINGS: dict[tuple[str, str], list[_Doing]] = {}
OF_FRAPPE = (
    *("Core", "Custom", "Contacts", "Integrations", "Desk", "Geo", "Website", "Email"),
    *("Automation", "Printing", "Workflow"),
)


def on(doctype: str, *events: str) -> Callable[[_Doing], _Doing]:
    def known(doing: _Doing) -> _Doing:
        for event in events:
            _DOINGS.setdefault((doctype, event), []).append(doing)
        return doing

    return known


def fire(site: "Site", call: Call, document: Document, event: str) -> None:
    """`on_change` is fired by every save and `db_set`, but not while the document is made."""
    own, every = (document.doctype.name, event), ("*", event)
    try:
        for doing in (*_DOINGS.get(own, ()), *_DOINGS.get(every, ())):
            doing(site, call, document)
    except Refusal as refusal:
        # What was not found is told without its source, as it is without its traceback.
        if refusal.status != 404 and document.doctype.definition.get("module") not in OF_FRAPPE:
            refusal.source = "erpnext (app)"
        raise

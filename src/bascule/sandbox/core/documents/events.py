"""What a DocType does by itself at the events of a document's life, and the webhooks they set off.

A DocType's module says `@on("Customer", "validate")`; the engine fires. An event is one of Frappe's
method names, `autoname` and `on_trash` among them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bascule.sandbox.core.database.tables import Row
from bascule.sandbox.core.documents.document import Document
from bascule.sandbox.core.errors import Call, Refusal

if TYPE_CHECKING:
    from bascule.sandbox.core.site import Site

_Doing = Callable[["Site", Call, Document], None]
_DOINGS: dict[tuple[str, str], list[_Doing]] = {}
_VIRTUAL: dict[tuple[str, str], Callable[[Document], Any]] = {}
_WITH_WEBHOOKS = ("on_update", "after_insert", "on_submit", "on_cancel", "on_trash")
_NOT_WHILE_INSERTED = ("on_change", "before_update_after_submit")
OF_FRAPPE = (
    *("Core", "Custom", "Contacts", "Integrations", "Desk", "Geo", "Website", "Email"),
    *("Automation", "Printing", "Workflow"),
)


@dataclass
class Due:
    """A webhook that is due, as it was then, for a document as it stood at the end of the call."""

    webhook: Row
    document: Document
    user: str


def on(doctype: str, *events: str) -> Callable[[_Doing], _Doing]:
    def known(doing: _Doing) -> _Doing:
        for event in events:
            _DOINGS.setdefault((doctype, event), []).append(doing)
        return doing

    return known


def virtual(doctype: str, field: str) -> Callable[[Callable[[Document], Any]], None]:
    """The function gives the value of that virtual field."""

    def known(value: Callable[[Document], Any]) -> None:
        _VIRTUAL[doctype, field] = value

    return known


def virtual_value(document: Document, field: str) -> Any:
    value = _VIRTUAL.get((document.doctype.name, field))
    return value(document) if value else None


def fire(site: "Site", call: Call, document: Document, event: str) -> None:
    """`on_change` tells of every save and `db_set`, but of none while the document is made."""
    try:
        for doing in _DOINGS.get((document.doctype.name, event), ()):
            doing(site, call, document)
    except Refusal as refusal:
        # What was not found is told without its source, as it is without its traceback.
        if refusal.status != 404 and document.doctype.definition.get("module") not in OF_FRAPPE:
            refusal.source = "erpnext (app)"
        raise
    if event in _WITH_WEBHOOKS or (event in _NOT_WHILE_INSERTED and not document.in_insert):
        for webhook in site.webhooks_for(document, event):
            call.webhooks.append(Due(webhook, document, call.user))


def due(call: Call) -> list[Due]:
    """One a webhook and document, with the document's last state, in the order of the last."""
    last: dict[tuple[str, str], Due] = {}
    for one in reversed(call.webhooks):
        last.setdefault((one.webhook["name"], one.document.name), one)
    return list(reversed(last.values()))

"""What still links to a document that is to be deleted or cancelled."""

from typing import TYPE_CHECKING

from bascule.sandbox.core.database.tables import Row
from bascule.sandbox.core.doctypes.schema import DocType
from bascule.sandbox.core.documents.document import Document
from bascule.sandbox.core.errors import Call, form_link

if TYPE_CHECKING:
    from bascule.sandbox.core.site import Site

# Links from these DocTypes hold nothing back.
_IGNORED = {
    *("Communication", "ToDo", "DocShare", "Comment", "Version", "View Log", "File"),
    *("Email Unsubscribe", "Activity Log", "Document Follow", "Tag Link", "Deleted Document"),
    *("Webhook Request Log", "Error Log", "Notification Log", "Email Queue"),
}
# Entries of these DocTypes do not keep their voucher from being cancelled; an app adds its ledgers.
LEDGERS: set[str] = set()


def check_back_links(site: "Site", call: Call, document: Document, *, cancelling: bool) -> None:
    """Refuses while another document links to this one; of a cancelled one, a submitted one."""
    about = document.doctype.name
    for doctype, field in site.schema.links_to(about):
        if doctype.name in _IGNORED or (cancelling and field == "amended_from"):
            continue
        if not doctype.is_single:
            for row in site.tables.rows(doctype.name, **{field: document.name}):
                _check_link(call, document, doctype, row, cancelling=cancelling)
        elif site.single(doctype.name).get(field) == document.name:
            _refuse(call, document, "", doctype.name)
    for doctype, field, named in site.schema.dynamic_links():
        entered = cancelling and doctype.name in LEDGERS
        if doctype.is_single or doctype.name in _IGNORED or entered:
            continue
        for row in site.tables.rows(doctype.name, **{named: about, field: document.name}):
            if row["docstatus"] != 2:
                place = f"at Row: {row['idx']}" if doctype.is_child else ""
                _check_link(call, document, doctype, row, place, cancelling=cancelling)


def _check_link(
    call: Call,
    document: Document,
    doctype: DocType,
    row: Row,
    place: str = "",
    *,
    cancelling: bool,
) -> None:
    holder = row["parenttype"] if doctype.is_child else doctype.name
    name = row["parent"] if doctype.is_child else row["name"]
    itself = doctype.name == document.doctype.name and name == document.name
    if holder in _IGNORED or itself or (cancelling and row["docstatus"] != 1):
        return
    _refuse(call, document, holder, name, place)


def _refuse(call: Call, document: Document, doctype: str, name: str, place: str = "") -> None:
    about = document.doctype.name
    here = form_link(call, about, document.name)
    there = form_link(call, doctype or name, name)
    call.refuse(
        f"Cannot delete or cancel because {about} {here} is linked with {doctype} {there} {place}",
        "LinkExistsError",
    )

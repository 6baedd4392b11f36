"""The names of documents that belong to a company: its abbreviation goes last."""

from typing import TYPE_CHECKING

from bascule.sandbox.core.documents.document import Document
from bascule.sandbox.core.documents.events import on
from bascule.sandbox.core.errors import Call
from bascule.sandbox.core.values import cstr

if TYPE_CHECKING:
    from bascule.sandbox.core.site import Site

# DocType -> (the field whose number goes first, or none; the field that names it).
_IN_A_COMPANY = {
    "Account": ("account_number", "account_name"),
    "Cost Center": ("cost_center_number", "cost_center_name"),
    "Department": ("", "department_name"),
    "Item Tax Template": ("", "title"),
    "Purchase Taxes and Charges Template": ("", "title"),
    "Sales Taxes and Charges Template": ("", "title"),
}


def _name_in_company(site: "Site", call: Call, document: Document) -> None:
    number, title = _IN_A_COMPANY[document.doctype.name]
    short = site.tables.value("Company", cstr(document["company"]), "abbr")
    parts = (document[number] if number else "", document[title], short)
    texts = [cstr(part).strip() for part in parts if part]
    if document[title] and short:
        document["name"] = " - ".join(texts)


for _doctype in _IN_A_COMPANY:
    on(_doctype, "autoname")(_name_in_company)

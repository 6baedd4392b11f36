"""The names that DocTypes of Frappe and ERPNext give their documents by themselves."""

from typing import TYPE_CHECKING

from bascule.sandbox.core.documents.document import Document
from bascule.sandbox.core.documents.events import on
from bascule.sandbox.core.errors import Call
from bascule.sandbox.core.values import cstr

if TYPE_CHECKING:
    from bascule.sandbox.core.site import Site

# DocType -> (the field with a number to go first, or none; the field that names it); the company's
# abbreviation goes last.
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


@on("Bank Account", "autoname")
def _name_bank_account(site: "Site", call: Call, account: Document) -> None:
    account["name"] = f"{cstr(account['account_name'])} - {cstr(account['bank'])}"


@on("User", "autoname")
def _name_user(site: "Site", call: Call, user: Document) -> None:
    if user["email"]:
        user["email"] = cstr(user["email"]).strip().lower()
        user["name"] = user["email"]


@on("User", "validate")
def _fill_user(site: "Site", call: Call, user: Document) -> None:
    names = filter(None, (user["first_name"], user["last_name"]))
    user["full_name"] = " ".join(map(cstr, names))
    if user.is_new and not user["username"] and user["first_name"]:
        user["username"] = cstr(user["first_name"]).replace(" ", "_").replace("-", "_").lower()


@on("Lead", "validate")
def _fill_lead(site: "Site", call: Call, lead: Document) -> None:
    if not lead["lead_name"]:
        names = filter(None, (lead["first_name"], lead["middle_name"], lead["last_name"]))
        lead["lead_name"] = " ".join(map(cstr, names)) or lead["company_name"]
    lead["title"] = lead["company_name"] or lead["lead_name"]

"""What ERPNext refuses of a Bank Account, and that there is one by default."""

from typing import TYPE_CHECKING

from bascule.sandbox.core.database.tables import Row
from bascule.sandbox.core.documents.document import Document
from bascule.sandbox.core.documents.events import on
from bascule.sandbox.core.errors import Call, bold, database_error
from bascule.sandbox.core.values import cstr, flt, is_number

if TYPE_CHECKING:
    from bascule.sandbox.core.site import Site


@on("Bank Account", "autoname")
def _name_bank_account(site: "Site", call: Call, account: Document) -> None:
    account["name"] = f"{cstr(account['account_name'])} - {cstr(account['bank'])}"


@on("Bank Account", "validate")
def _validate(site: "Site", call: Call, account: Document) -> None:
    if account["is_company_account"] and not account["company"]:
        call.refuse("Company is manadatory for company account")
    if account["account"]:
        others = site.tables.rows("Bank Account", "`modified` DESC", account=account["account"])
        names = [row["name"] for row in others if row["name"] != account.name]
        if names:
            links = [f'<a href="/app/bank-account/{name}">{name}</a>' for name in names]
            told = f"'{bold(account['account'])}' account is already used by"
            call.refuse(f"{told} {bold(' and '.join(links))}. Use another account.")
    if account["is_default"] and not account["disabled"]:
        _take_default(site, account)


def _take_default(site: "Site", account: Document) -> None:
    """The one of that party or company that was the default is it no more."""
    owned = account["is_company_account"]
    if isinstance(owned, str) and owned and not is_number(owned):
        told = f"Truncated incorrect DECIMAL value: '{owned}'"
        raise database_error("OperationalError", 1292, told)
    place = {field: account[field] for field in ("party_type", "party", "company")}
    marks: Row = {"is_company_account": int(flt(owned)), "is_default": 1, "disabled": 0}
    for row in site.tables.rows("Bank Account", **marks):
        if all(cstr(row[field]) == cstr(value) for field, value in place.items()):
            site.tables.update("Bank Account", row["name"], {"is_default": 0})

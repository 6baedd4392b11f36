"""The names of customers and suppliers, by what they are called or by series."""

from typing import TYPE_CHECKING

from bascule.sandbox.core.documents import saving
from bascule.sandbox.core.documents.document import Document
from bascule.sandbox.core.documents.events import on
from bascule.sandbox.core.errors import Call, Refusal
from bascule.sandbox.core.values import cint, cstr
from bascule.sandbox.core.versions import SIXTEEN

if TYPE_CHECKING:
    from bascule.sandbox.core.site import Site

# DocType -> (the Single that says how it is named, its field, the choice that names it by title)
_NAMED_BY = {
    "Customer": ("Selling Settings", "cust_master_name", "Customer Name"),
    "Supplier": ("Buying Settings", "supp_master_name", "Supplier Name"),
}


def named_by_title(site: "Site", doctype: str) -> bool:
    """Whether that site names its customers, or suppliers, by what they are called."""
    single, field, choice = _NAMED_BY[doctype]
    kept = site.single(single).get(field) if single in site.schema else None
    return kept in (None, "", choice)


@on("Customer", "after_rename")
@on("Supplier", "after_rename")
def _rename_party(site: "Site", call: Call, party: Document) -> None:
    """A party that was named by its title takes the new name as its title."""
    if named_by_title(site, party.doctype.name):
        title = {f"{party.doctype.name.lower()}_name": party.name}
        saving.set_values(site, call, party, title, moved=True)


@on("Customer", "autoname")
def _name_customer(site: "Site", call: Call, customer: Document) -> None:
    """By its name, unless by series; one that is taken gets the next number behind it."""
    if not named_by_title(site, "Customer"):
        return
    wanted = customer["customer_name"]
    if call.major >= SIXTEEN:
        if wanted is None:
            told = "'NoneType' object has no attribute 'strip'"
            raise Refusal("AttributeError", told, module="", status=500)
        wanted = customer["customer_name"] = cstr(wanted).strip()
    if wanted and site.tables.value("Customer", wanted, "name") is not None:
        rows = site.tables.run(
            "SELECT `name` FROM `tabCustomer` WHERE `name` LIKE ?", (f"%{wanted} - %",)
        )
        numbers = [cint(row[0].rpartition(" ")[2]) for row in rows]
        numbered_name = f"{wanted} - {max(numbers, default=0) + 1}"
        told = f"Changed customer name to '{numbered_name}' as '{wanted}' already exists."
        call.tell(told, title="Note", indicator="yellow", alert=call.major >= SIXTEEN)
        wanted = numbered_name
    customer["name"] = wanted


@on("Supplier", "autoname")
def _name_supplier(site: "Site", call: Call, supplier: Document) -> None:
    if named_by_title(site, "Supplier"):
        supplier["name"] = supplier["supplier_name"]

"""The name and title of a Lead."""

from typing import TYPE_CHECKING

from bascule.sandbox.core.documents.document import Document
from bascule.sandbox.core.documents.events import on
from bascule.sandbox.core.errors import Call
from bascule.sandbox.core.values import cstr

if TYPE_CHECKING:
    from bascule.sandbox.core.site import Site


@on("Lead", "validate")
def _fill_lead(site: "Site", call: Call, lead: Document) -> None:
    if not lead["lead_name"]:
        names = filter(None, (lead["first_name"], lead["middle_name"], lead["last_name"]))
        lead["lead_name"] = " ".join(map(cstr, names)) or lead["company_name"]
    lead["title"] = lead["company_name"] or lead["lead_name"]

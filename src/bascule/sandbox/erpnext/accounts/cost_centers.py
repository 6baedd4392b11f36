"""A renamed Cost Center takes its number and title from its new name."""

from typing import TYPE_CHECKING

from bascule.sandbox.core.documents import saving
from bascule.sandbox.core.documents.document import Document
from bascule.sandbox.core.documents.events import on
from bascule.sandbox.core.errors import Call

if TYPE_CHECKING:
    from bascule.sandbox.core.site import Site


@on("Cost Center", "after_rename")
def _rename_cost_center(site: "Site", call: Call, center: Document) -> None:
    """Number and title are parts of the name: `<number> - <title> - <company>`."""
    parts = center.name.split(" - ")[:-1]
    if (center.renaming is not None and center.renaming.merge) or not parts:
        return
    values = {}
    if parts[0][:1].isdigit():
        parts = parts if len(parts) > 1 else center.name.split(" ")
        values["cost_center_number"] = parts.pop(0)
    values["cost_center_name"] = " - ".join(parts)
    changed = {field: value for field, value in values.items() if center[field] != value}
    if changed:
        saving.set_values(site, call, center, changed, moved=True)

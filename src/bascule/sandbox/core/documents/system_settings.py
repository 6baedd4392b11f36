"""What changes for the whole site when its settings are saved."""

from typing import TYPE_CHECKING
from zoneinfo import available_timezones

from bascule.sandbox.core.documents.document import Document
from bascule.sandbox.core.documents.events import on
from bascule.sandbox.core.errors import Call
from bascule.sandbox.core.values import cstr

if TYPE_CHECKING:
    from bascule.sandbox.core.site import Site


@on("System Settings", "on_update")
def _set_time_zone(site: "Site", call: Call, settings: Document) -> None:
    """Times written from now on are of another zone; those that are there stay as they are."""
    if settings["time_zone"] in available_timezones():
        site.set_time_zone(cstr(settings["time_zone"]))

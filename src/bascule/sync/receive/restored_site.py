"""A site that was restored from an older state: nothing of that is taken in silence.

Told by documents whose time of change is older than the one that was agreed on, though the site's
clock is past that; and by documents that are gone without a trace of a deletion.
"""

from collections.abc import Iterable
from datetime import datetime

from bascule.frappe import NoPermission, NotFound, Site
from bascule.sync.receive.party import Party
from bascule.sync.tables import Link


def agreed_later(link: Link, party: Party) -> str | None:
    """The latest time of change that was agreed on and is later than what the documents tell of
    now; None: there is none.
    """
    names = {"main": link.document, **link.parts}
    later = [
        str(link.modified[part])
        for part, document in party.documents.items()
        if names.get(part) == document["name"]
        and (agreed := link.modified.get(part))
        and datetime.fromisoformat(str(document["modified"])) < datetime.fromisoformat(str(agreed))
    ]
    return max(later, default=None)


async def are_restored(site: Site, agreed: Iterable[str | None]) -> bool:
    """Whether these documents, see `agreed_later`, come from an older state. They do not where the
    site's clock was set back instead.
    """
    latest = max(filter(None, agreed), default=None)
    if latest is None:
        return False
    # The clock is read to the second.
    return await site.clock() >= datetime.fromisoformat(latest).replace(microsecond=0)


async def was_deleted(site: Site, doctype: str, name: str) -> bool | None:
    """Whether the site tells of a deletion; None: its user may not read of any."""
    filters = [["deleted_doctype", "=", doctype], ["deleted_name", "=", name]]
    try:
        return bool(await site.list("Deleted Document", ("name",), filters=filters, limit=1))
    except (NoPermission, NotFound):
        return None

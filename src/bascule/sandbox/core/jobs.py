"""What a site does by the clock, past its documents: `modified` stays as it is.

A job has the path of the function that the site's scheduler calls, so that the same name runs it
on a real site.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from bascule.sandbox.core.database.tables import quoted

if TYPE_CHECKING:
    from bascule.sandbox.core.site import Site

Job = Callable[["Site"], None]
JOBS: dict[str, Job] = {}


def job(path: str) -> Callable[[Job], Job]:
    """The function is the job of that path."""

    def known(function: Job) -> Job:
        JOBS[path] = function
        return function

    return known


@job("frappe.model.utils.link_count.update_link_count")
def _count_links(site: "Site") -> None:
    """How often a document was linked to since the last time is added to its `idx`."""
    for (doctype, name), count in site.linked.items():
        if site.tables.has(doctype):
            site.tables.run(
                f"UPDATE {quoted(doctype)} SET `idx` = `idx` + ? WHERE `name` = ?", (count, name)
            )
    site.linked.clear()

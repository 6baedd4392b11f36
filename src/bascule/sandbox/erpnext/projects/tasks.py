"""Tasks become overdue past their last day."""

from typing import TYPE_CHECKING

from bascule.sandbox.core.jobs import job

if TYPE_CHECKING:
    from bascule.sandbox.core.site import Site


@job("erpnext.projects.doctype.task.task.set_tasks_as_overdue")
def _call_tasks_overdue(site: "Site") -> None:
    site.tables.run(
        "UPDATE `tabTask` SET `status` = 'Overdue'"
        " WHERE `status` NOT IN ('Cancelled', 'Completed') AND `exp_end_date` < ?",
        (str(site.clock.now().date()),),
    )

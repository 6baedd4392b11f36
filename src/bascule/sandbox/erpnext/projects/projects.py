"""What ERPNext computes of a Project at each save: its cost, its income and its progress."""

import re
from typing import TYPE_CHECKING, Any

from bascule.sandbox.core.documents.dates import check_order
from bascule.sandbox.core.documents.document import Document
from bascule.sandbox.core.documents.events import on
from bascule.sandbox.core.errors import Call
from bascule.sandbox.core.values import cint, flt

if TYPE_CHECKING:
    from bascule.sandbox.core.site import Site

_DONE = ("Cancelled", "Completed")


@on("Project", "validate")
def _validate(site: "Site", call: Call, project: Document) -> None:
    _add_up(site, project)
    _progress(site, project)
    check_order(call, project, "expected_start_date", "expected_end_date")
    check_order(call, project, "actual_start_date", "actual_end_date")


def _add_up(site: "Site", project: Document) -> None:
    """Of submitted papers; what nobody worked on has no hours, costs and dates."""
    worked = _asked(
        site,
        "Timesheet Detail",
        "sum(`costing_amount`), sum(`billing_amount`), min(`from_time`), max(`to_time`),"
        " sum(`hours`)",
        "`project` = ?",
        project,
    )
    fields = (
        *("total_costing_amount", "total_billable_amount"),
        *("actual_start_date", "actual_end_date", "actual_time"),
    )
    for field, value in zip(fields, worked, strict=True):
        project[field] = value
    bought, sold, billed = (
        _sum(site, doctype, amount, "`project` = ?", project)
        for doctype, amount in (
            ("Purchase Invoice Item", "base_net_amount"),
            ("Sales Order", "base_net_total"),
            ("Sales Invoice Item", "base_net_amount"),
        )
    )
    project["total_purchase_cost"], project["total_sales_amount"] = bought, sold
    of_whole = "`project` IS NULL AND `parent` IN (SELECT `name` FROM `tabSales Invoice`"
    of_whole += " WHERE `project` = ?)"
    if "Sales Invoice" in site.schema and "project" in site.schema["Sales Invoice"].kinds:
        billed += _sum(site, "Sales Invoice Item", "base_net_amount", of_whole, project)
    project["total_billed_amount"] = billed
    used = flt(project["total_consumed_material_cost"])
    spent = flt(project["total_costing_amount"]) + bought + used
    project["gross_margin"] = billed - spent
    if billed:
        project["per_gross_margin"] = project["gross_margin"] / billed * 100


def _asked(
    site: "Site", doctype: str, wanted: str, where: str, project: Document
) -> tuple[Any, ...]:
    used = {*re.findall(r"`(\w+)`", wanted), "project"}
    if doctype not in site.schema or not used <= site.schema[doctype].kinds.keys():
        return (None,) * wanted.count("(")
    sql = f"SELECT {wanted} FROM `tab{doctype}` WHERE {where} AND `docstatus` = 1"
    found: tuple[Any, ...] = site.tables.run(sql, (project.name,)).fetchone()
    return found


def _sum(site: "Site", doctype: str, amount: str, where: str, project: Document) -> float:
    total = _asked(site, doctype, f"sum(`{amount}`)", where, project)[0]
    return round(flt(total), 9)


def _progress(site: "Site", project: Document) -> None:
    """By its tasks, unless by hand; one without tasks may be completed as it is."""
    tasks = site.tables.rows("Task", project=project.name) if project.name else []
    if project["status"] == "Completed" and not tasks:
        project["percent_complete_method"], project["percent_complete"] = "Manual", 100
    method = project["percent_complete_method"]
    if method == "Manual":
        if project["status"] == "Completed":
            project["percent_complete"] = 100
        return
    if not tasks:
        project["percent_complete"] = 0
    elif method in (None, "", "Task Completion"):
        done = sum(task["status"] in _DONE for task in tasks)
        project["percent_complete"] = round(done / len(tasks) * 100, 2)
    elif method == "Task Progress":
        total = sum(flt(task.get("progress")) for task in tasks)
        project["percent_complete"] = round(total / len(tasks), 2)
    elif method == "Task Weight":
        weight = sum(flt(task.get("task_weight")) for task in tasks)
        total = sum(flt(task.get("progress")) * flt(task.get("task_weight")) for task in tasks)
        project["percent_complete"] = round(total / weight, 2) if weight else 0
    if project["status"] != "Cancelled":
        project["status"] = "Completed" if flt(project["percent_complete"]) == 100 else "Open"


@on("Project", "on_trash")
def _leave_orders(site: "Site", call: Call, project: Document) -> None:
    for row in site.tables.rows("Sales Order", project=project.name):
        site.tables.update("Sales Order", row["name"], {"project": ""})


@on("Project", "after_insert")
def _tell_order(site: "Site", call: Call, project: Document) -> None:
    order = project["sales_order"]
    if order and cint(site.tables.value("Sales Order", str(order), "docstatus")) < 2:
        site.tables.update("Sales Order", str(order), {"project": project.name})

"""erpnext.accounts.utils.get_balance_on: what the ledger says of an account or a party."""

from typing import Any

from bascule.sandbox.core.database.tables import Row
from bascule.sandbox.core.errors import Call, Refusal
from bascule.sandbox.core.methods.whitelist import whitelisted
from bascule.sandbox.core.site import Site
from bascule.sandbox.core.values import cint, cstr, flt, moment


@whitelisted("erpnext.accounts.utils.get_balance_on")
def get_balance_on(
    site: Site,
    call: Call,
    account: Any = None,
    date: Any = None,
    party_type: Any = None,
    party: Any = None,
    company: Any = None,
    in_account_currency: Any = True,
    cost_center: Any = None,
    account_type: Any = None,
    start_date: Any = None,
) -> float | None:
    """Debit less credit of the entries up to `date`; None where nothing says whose balance.

    A day before any Fiscal Year has the balance 0.
    """
    tests: list[str] = ["`is_cancelled` = 0"]
    values: list[Any] = []
    for test, value in (("`posting_date` >= ?", start_date), ("`posting_date` <= ?", date)):
        if value:
            tests.append(test)
            values.append(cstr(value))
    own_currency = bool(cint(in_account_currency))
    found = site.document(call, "Account", cstr(account)) if account else None
    if not _has_fiscal_year(site, call, cstr(date) or _today(site), cstr(company)):
        return 0.0
    if found is not None:
        site.check(call, found, "read")
        if cost_center and found["report_type"] == "Profit and Loss":
            names = _below(site, "Cost Center", cstr(cost_center))
            _add(tests, values, "cost_center", names)
        _add(tests, values, "account", _below(site, "Account", found.name))
        home = site.tables.value("Company", cstr(found["company"]), "default_currency")
        if cint(found["is_group"]) and found["account_currency"] == home:
            own_currency = False
    if account_type:
        where: Row = {"company": company, "account_type": account_type, "is_group": 0}
        _add(
            tests, values, "account", [row["name"] for row in site.tables.rows("Account", **where)]
        )
    if party_type and party:
        tests.append("`party_type` = ? AND `party` = ?")
        values += [cstr(party_type), cstr(party)]
    if company:
        tests.append("`company` = ?")
        values.append(cstr(company))
    if not (account or (party_type and party) or account_type):
        return None
    return _sum(site, tests, values, own_currency=own_currency)


def _sum(site: Site, tests: list[str], values: list[Any], *, own_currency: bool) -> float:
    if not site.tables.has("GL Entry"):
        return 0.0
    ending = "_in_account_currency" if own_currency else ""
    digits = _digits(site)
    sides = [f"sum(round(`{side}{ending}`, {digits}))" for side in ("debit", "credit")]
    query = f"SELECT {' - '.join(sides)} FROM `tabGL Entry` WHERE {' AND '.join(tests)}"
    return round(flt(site.tables.run(query, values).fetchone()[0]), 9)


def _digits(site: Site) -> int:
    settings = site.single("System Settings") if "System Settings" in site.schema else {}
    precision = cstr(settings.get("currency_precision"))
    return cint(precision) if precision else 2  # as the usual number formats have it


def _add(tests: list[str], values: list[Any], field: str, names: list[str]) -> None:
    tests.append(f"`{field}` IN ({', '.join('?' * len(names))})")
    values += names


def _below(site: Site, doctype: str, name: str) -> list[str]:
    """A leaf itself; of a group all that is below it too."""
    row = site.tables.row(doctype, name) or {}
    if not cint(row.get("is_group")):
        return [str(row.get("name") or name)]
    found = site.tables.run(
        f"SELECT `name` FROM `tab{doctype}` WHERE `lft` >= ? AND `rgt` <= ?",
        (row["lft"], row["rgt"]),
    )
    return [one[0] for one in found]


def _today(site: Site) -> str:
    return str(site.clock.now().date())


def _has_fiscal_year(site: Site, call: Call, date: str, company: str) -> bool:
    """Whether there is one on that day; for a later day than today, today's is asked for."""
    if _fiscal_year(site, date, company):
        return True
    today = _today(site)
    day = moment(date)
    if day is None or str(day.date()) <= today:
        return False
    if not _fiscal_year(site, today, ""):
        told = f"Date <strong>{today}</strong> is not in any active Fiscal Year"
        module = "erpnext.accounts.utils"
        call.raise_told(Refusal("FiscalYearError", told, module=module, status=417))
    return True


def _fiscal_year(site: Site, date: str, company: str) -> bool:
    for row in site.tables.rows("Fiscal Year"):
        if row.get("disabled") or not row["year_start_date"] <= date <= row["year_end_date"]:
            continue
        of = [one["company"] for one in site.tables.rows("Fiscal Year Company", parent=row["name"])]
        if not company or not of or company in of:
            return True
    return False

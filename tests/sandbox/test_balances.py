"""erpnext.accounts.utils.get_balance_on, over entries of a ledger."""

from typing import Any

import pytest

from .conftest import Client, MakeSite

YEAR = {"name": "2026", "year": "2026", "year_start_date": "2026-01-01"}
YEAR |= {"year_end_date": "2026-12-31"}
ACCOUNTS = [
    {"name": "Assets - T", "is_group": 1, "lft": 1, "rgt": 6, "account_currency": "EUR"},
    {"name": "Cash - T", "is_group": 0, "lft": 2, "rgt": 3, "account_currency": "EUR"},
    {"name": "Dollars - T", "is_group": 0, "lft": 4, "rgt": 5, "account_currency": "USD"},
]
# account, day, debit, credit, factor of the account's currency, what else
ENTRIES: list[tuple[str, str, float, float, float, dict[str, Any]]] = [
    ("Cash - T", "2026-02-01", 100.0, 0, 1, {}),
    ("Cash - T", "2026-03-01", 0, 30.5, 1, {}),
    ("Cash - T", "2026-03-02", 999.0, 0, 1, {"is_cancelled": 1}),
    ("Dollars - T", "2026-03-03", 50.0, 0, 2, {"party_type": "Customer", "party": "Ada"}),
    ("Dollars - T", "2026-04-01", 0, 20.0, 2, {"party_type": "Customer", "party": "Ada"}),
]


async def site_of(make_site: MakeSite) -> Client:
    rows: list[dict[str, Any]] = []
    for number, (account, day, debit, credit, factor, more) in enumerate(ENTRIES):
        row: dict[str, Any] = {
            "name": f"GL-{number}",
            "account": account,
            "posting_date": day,
            "company": "Test",
        }
        row |= {"debit": debit, "credit": credit, "is_cancelled": 0, **more}
        row["debit_in_account_currency"] = debit * factor
        row["credit_in_account_currency"] = credit * factor
        rows.append({"doctype": "GL Entry", **row})
    documents = {
        "Company": [{"name": "Test", "default_currency": "EUR", "abbr": "T"}],
        "Account": [{"company": "Test", "report_type": "Balance Sheet", **one} for one in ACCOUNTS],
        "Fiscal Year": [YEAR],
        "GL Entry": rows,
    }
    return (await make_site(documents=documents)).as_user("admin")


async def balance(site: Client, **given: Any) -> Any:
    status, body = await site.get("/api/method/erpnext.accounts.utils.get_balance_on", **given)
    assert status == 200, body
    return body.get("message")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"account": "Cash - T"}, 69.5),
        ({"account": "Cash - T", "date": "2026-02-28"}, 100.0),
        ({"account": "Cash - T", "start_date": "2026-02-02"}, -30.5),
        ({"account": "Dollars - T"}, 60.0),
        ({"account": "Dollars - T", "in_account_currency": "0"}, 30.0),
        ({"account": "Assets - T"}, 99.5),
        ({"party_type": "Customer", "party": "Ada"}, 60.0),
        ({"party_type": "Customer", "party": "Ada", "in_account_currency": "0"}, 30.0),
        ({"party_type": "Customer", "party": "Nobody"}, 0.0),
        ({"account": "Cash - T", "date": "2020-01-01"}, 0.0),
        ({}, None),
    ],
)
async def test_balance_is_debit_less_credit(
    make_site: MakeSite, given: dict[str, str], expected: float | None
) -> None:
    assert await balance(await site_of(make_site), **given) == expected


async def test_balance_of_account_asks_for_the_right_to_read_it(make_site: MakeSite) -> None:
    site = (await site_of(make_site)).as_user("stranger")
    path = "/api/method/erpnext.accounts.utils.get_balance_on"
    assert (await site.get(path, account="Cash - T"))[0] == 403
    assert (await site.get(path, account="Nothing - T"))[0] == 404

"""A mirror in a database of other habits, and through a pooler: the same values as in any."""

import csv
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from bascule.data.export import export_rows
from tests.kit.pgbouncer import pooled

HABITS = {
    "datestyle": "SQL, DMY",
    "timezone": "America/St_Johns",
    "intervalstyle": "sql_standard",
    "client_encoding": "LATIN1",
    "standard_conforming_strings": "off",
    "default_transaction_isolation": "serializable",
    "default_transaction_read_only": "on",
    "extra_float_digits": "-10",
    "statement_timeout": "1ms",
    "search_path": "nowhere",
}


@pytest.fixture(params=["habits", "pooler"])
def database_url(database_url: str, request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "pooler":
        with pooled(database_url) as address:
            yield address
        return
    name = conninfo_to_dict(database_url)["dbname"]
    with psycopg.connect(database_url, autocommit=True) as connection:
        for setting, value in HABITS.items():
            connection.execute(f"ALTER DATABASE {name} SET {setting} = '{value}'".encode())
    yield database_url


async def test_values_are_the_sites(mirrored: Callable[..., Any]) -> None:
    there = await mirrored()
    runs = await there.sync("Customer", "Sales Order")
    made = await there.ask(
        "POST",
        "/api/resource/Customer",
        {
            "customer_name": "Łódź \\ 'x'",
            "customer_group": "All Customer Groups",
            "territory": "All Territories",
        },
    )
    runs += await there.sync("Customer", "Sales Order")
    proofs = await there.sync("Customer", "Sales Order", kind="verify")
    assert {(run.outcome, run.error) for run in [*runs, *proofs]} == {("done", None)}
    asked = ("name", "transaction_date", "modified")
    theirs = {name: (day, at) for name, day, at in await there.site_rows("Sales Order", *asked)}
    ours = await there.rows("sales_order", "name", "transaction_date", "modified")
    assert len(ours) > 50
    for name, day, at in ours:
        assert (str(day), at.isoformat(" ", "microseconds")) == theirs[name]
    assert (made["data"]["name"],) in await there.rows("customer", "name")
    pieces = export_rows(there.hub.db, there.connection.slug, "sales_order", format="csv")
    lines = b"".join([piece async for piece in pieces]).decode().splitlines()
    rows = list(csv.DictReader(lines))
    assert {row["name"]: row["transaction_date"] for row in rows} == {
        name: theirs[name][0] for name, *_ in ours
    }

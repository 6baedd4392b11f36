"""A hub of version 0.1.0 with two-way sync on, as that version left it, under today's Bascule.

of_0_1.sql.gz is pg_dump's of a hub that 0.1.0 ran over the demo company: two mirrored DocTypes, and
nine customers, one of which was made in the hub and has an edit that was not sent yet.
"""

import gzip
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from bascule.sandbox import SandboxThread
from bascule.sandbox.company import demo_company
from bascule.settings import Settings
from bascule.store.embedded.binaries import binary
from bascule.store.migrate import newest
from bascule.store.vault import Vault
from tests.kit.api import Api
from tests.kit.database import on_database, run
from tests.kit.hub import RunningHub
from tests.kit.site import Erp
from tests.kit.waiting import until

MADE_ON = date(2026, 11, 29)  # the company is another on each day
DUMP = Path(__file__).with_name("of_0_1.sql.gz")
KEY = "the key of a hub of version 0.1.0"
TOKEN = "bsc_8Rs_UA3F9zWO-UIh3KQaEX6ya-g5MsMoEMcD8cQR9fg"
MADE, WAITED = "Made In 0.1", "https://waits.example"


@pytest.fixture
def of_0_1(postgres: str) -> Iterator[str]:
    name = f"of_0_1_{uuid4().hex[:8]}"
    run(postgres, f"CREATE DATABASE {name}")
    url = on_database(postgres, name)
    done = subprocess.run(
        [binary("psql"), "--quiet", "--set", "ON_ERROR_STOP=1", "--dbname", url],
        input=gzip.decompress(DUMP.read_bytes()),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    yield url
    run(postgres, f"DROP DATABASE {name} WITH (FORCE)")


def as_it_was_left(url: str, company: Any) -> Any:
    """The site as the hub knows it: its user has the keys that the hub stored, and there is the
    customer that the hub made.
    """
    with psycopg.connect(url) as conn:
        found = conn.execute(
            "SELECT api_key_encrypted, api_secret_encrypted, creation, modified ->> 'main',"
            " site_user, version_num FROM bascule.connections, bascule.links,"
            " bascule.alembic_version WHERE document = %s",
            [MADE],
        ).fetchone()
    assert found is not None
    key, secret, creation, modified, owner, revision = found
    assert revision == "0015"
    customer = {
        **{"doctype": "Customer", "name": MADE, "customer_name": MADE, "owner": owner},
        **{"creation": creation, "modified": modified, "modified_by": owner, "docstatus": 0},
        **{"customer_group": "Consumers", "customer_type": "Company", "language": "en"},
        **{"territory": "All Territories", "website": "https://first.example"},
    }
    way_in = {"api_key": Vault(KEY).decrypt(key), "api_secret": Vault(KEY).decrypt(secret)}
    documents = company.documents
    return replace(
        company,
        users={**company.users, "hub": {**company.users["hub"], **way_in}},
        documents={**documents, "Customer": [*documents["Customer"], customer]},
    )


def test_hub_of_0_1_is_brought_over_with_all_that_it_has(of_0_1: str, tmp_path: Path) -> None:
    with SandboxThread(as_it_was_left(of_0_1, demo_company(today=MADE_ON))) as site:
        run(of_0_1, f"UPDATE bascule.connections SET api_url = '{site.url}'")
        run(of_0_1, "UPDATE bascule.circuits SET open_until = now()")
        settings = Settings(database_url=of_0_1, data_dir=tmp_path, secret_key=KEY)  # type: ignore[arg-type]
        erp = Erp(site)
        with RunningHub(settings) as running:
            api = Api(running.url, TOKEN)
            [shop] = api.get("/api/connectors/status").json["connectors"]
            assert shop["record_counts"].keys() == {"Customer Group", "Warehouse"}
            rows = api.get("/api/connectors/the_shop/rows/warehouse").json
            assert rows["rows"], rows
            [mine] = api.get("/api/customers", search=MADE).json["records"]
            assert mine["website"] == WAITED
            history = api.get(f"/api/customers/{mine['id']}/history").json
            assert "https://first.example" in str(history)

            until(lambda: erp.read("Customer", MADE)["website"] == WAITED, "it was not sent")
            told = api.post("/api/customers/sync/enhanced?wait=60&whole=true").json
            assert told["finished"] and not told["errors"], told
            records = api.get("/api/customers", limit=500).json["records"]
            there = erp.list("Customer", fields=("customer_name",))
            assert sorted(row["name"] for row in records) == sorted(
                row["customer_name"] for row in there
            )
            assert len({row["erpnextId"] for row in records}) == len(records)
            for what in ("sync", "the_shop/verify"):
                done = api.post(f"/api/connectors/{what}", {"wait": 60}).json
                assert done["finished"], done
                assert {one["outcome"] for one in done["runs"]} == {"done"}, done
            [shop] = api.get("/api/connectors/status").json["connectors"]
            assert shop["verified_equal"] is True
    with psycopg.connect(of_0_1) as conn:
        assert conn.execute("SELECT version_num FROM bascule.alembic_version").fetchone() == (
            newest(),
        )

"""An application that has nothing but a client that was generated from the OpenAPI."""

import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.kit.api import Api
from tests.kit.hub import RunningHub
from tests.kit.site import Erp
from tests.kit.waiting import until

GENERATOR = Path(__file__).parents[1] / "openapi" / ".tools" / "bin"
OURS, THEIRS = "https://ours.example", "https://theirs.example"


@pytest.fixture
def generated(api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Imports a module of the client."""
    if not (GENERATOR / "openapi-python-client").exists():
        pytest.skip("There is no generator of clients: run `make generator`.")
    described = tmp_path / "openapi.json"
    described.write_bytes(api.get("/openapi.json").body)
    made = subprocess.run(
        ["openapi-python-client", "generate", "--path", described, "--output-path", tmp_path / "c"],
        env={**os.environ, "PATH": f"{GENERATOR}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    told = made.stdout + made.stderr
    assert made.returncode == 0 and "WARNING" not in told and "nable to" not in told, told
    # What the client itself needs is beside its generator.
    [needs] = GENERATOR.parent.glob("lib/python3.*/site-packages")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "c"), *sys.path, str(needs)])
    return lambda name: importlib.import_module(f"bascule_client.{name}")


@pytest.mark.usefixtures("retried_by_hand")
def test_it_edits_waits_and_settles_a_conflict(
    running_hub: RunningHub,
    erp: Erp,
    site: Any,
    turn_on: Callable[..., str],
    generated: Callable[[str], Any],
) -> None:
    turn_on()
    client = generated("client").AuthenticatedClient(running_hub.url, running_hub.token)
    models = generated("models")

    def ask(function: str, *path: Any, **more: Any) -> Any:
        return generated(f"api.customers.{function}").sync(*path, client=client, **more)

    new = models.NewCustomer(
        name='Clients "R" Us', customer_group="Consumers", website="https://a.b"
    )
    made = ask("create_customer", body=new)
    assert isinstance(made, models.RecordAnswer), made

    def state() -> str:
        return str(ask("read_customer", made.id).sync.state)

    until(lambda: state() == "in_sync")
    document = ask("read_customer", made.id).erpnext_id
    assert erp.read("Customer", document)["website"] == "https://a.b"

    refused = ask("create_customer", body=models.NewCustomer(name="", email="nobody"))
    assert isinstance(refused, models.Problem), refused
    assert {"name", "email"} <= set(refused.fields.to_dict()), refused

    site.faults.add("maintenance", method="PUT", path="/api/resource/Customer")
    ask("change_customer", made.id, body=models.ChangedCustomer(website=OURS))
    until(lambda: state() == "waiting")
    site.faults.clear()
    erp.change("Customer", document, website=THEIRS)
    ask("retry_customers")
    until(lambda: state() == "conflict")
    [conflict] = ask("conflicts_of_customer", made.id).conflicts
    assert (conflict.field, conflict.here, conflict.there) == ("website", OURS, THEIRS)
    ask(
        "settle_customer", made.id, "website", body=models.Resolve(choice=models.ResolveChoice.HERE)
    )
    until(lambda: state() == "in_sync")
    assert erp.read("Customer", document)["website"] == OURS
    values = [pair for step in ask("history_of_customer", made.id).steps
              for pair in step.changes.additional_properties.values()]  # fmt: skip
    assert any(THEIRS in pair for pair in values)

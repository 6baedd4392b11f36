"""frappectl, a command for version 2 of the API, against a site of version 16 and one of 15."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bascule.sandbox import Running

from .conftest import program

Run = Callable[..., Any]


@pytest.fixture(params=["site", "site_16"])
def running(request: pytest.FixtureRequest) -> Running:
    return request.getfixturevalue(request.param)


@pytest.fixture
def run(running: Running, tmp_path: Path) -> Run:
    """Runs a command of frappectl as the hub's user; its JSON, or what it says when it fails."""
    environment = {
        **os.environ,
        "FRAPPE_SITE": running.url,
        "FRAPPE_API_KEY": running.api_key,
        "FRAPPE_API_SECRET": running.api_secret,
        "XDG_CONFIG_HOME": str(tmp_path),
    }

    def run(*command: str, sent: Any = None, fails: bool = False) -> Any:
        done = subprocess.run(
            [program("frappectl", "frappectl"), "--json", *command],
            input=json.dumps(sent) if sent else "",
            capture_output=True,
            text=True,
            env=environment,
            timeout=60,
            check=False,
        )
        assert bool(done.returncode) == fails, done.stderr
        return done.stderr if fails else json.loads(done.stdout)

    return run


def test_documents_are_listed_read_made_changed_and_deleted(run: Run) -> None:
    made = run("doc", "create", "Brand", "--set", "brand=Gazelle & Zoon")
    assert made["name"] == "Gazelle & Zoon"
    changed = run("doc", "update", "Brand", made["name"], "--set", "description=Since 1892")
    assert changed["description"] == "Since 1892"
    listed = run("doc", "list", "Brand", "-f", "description=Since 1892", "--fields", "name")
    assert [one["name"] for one in listed] == ["Gazelle & Zoon"]
    assert run("doc", "get", "Brand", made["name"])["description"] == "Since 1892"
    stale = ("--set", "description=x", "--set", f"modified={made['modified']}")
    assert "modified" in run("doc", "update", "Brand", made["name"], *stale, fails=True)
    assert run("doc", "delete", "Brand", made["name"])["deleted"] == made["name"]
    assert "not found" in run("doc", "get", "Brand", made["name"], fails=True)


def test_order_is_submitted_and_cancelled(run: Run) -> None:
    item = run("doc", "list", "Item", "--fields", "name", "--limit", "1")[0]["name"]
    customer = run("doc", "list", "Customer", "--fields", "name", "--limit", "1")[0]["name"]
    items = [{"item_code": item, "qty": 2, "rate": 10, "delivery_date": "2026-12-01"}]
    values = {"customer": customer, "delivery_date": "2026-12-01", "items": items}
    made = run("doc", "create", "Sales Order", sent=values)
    assert run("doc", "submit", "Sales Order", made["name"])["docstatus"] == 1
    cancelled = run("doc", "cancel", "Sales Order", made["name"])
    assert (cancelled["docstatus"], cancelled["status"]) == (2, "Cancelled")
    amended = run("doc", "amend", "Sales Order", made["name"])
    assert amended["name"] == f"{made['name']}-1"


def test_doctypes_are_listed_and_shown(run: Run) -> None:
    assert {"Sales Order", "ToDo", "Customer"} <= set(run("doctype", "list"))
    assert run("doctype", "list", "--module", "Manufacturing")
    shown = run("doctype", "show", "Sales Order")
    assert shown["is_submittable"] == 1
    assert {"customer", "items"} <= {one["fieldname"] for one in shown["fields"]}


def test_methods_are_called(run: Run, running: Running) -> None:
    count = ("method", "call", "frappe.client.get_count", "-F", "doctype=Customer")
    assert run(*count) == 150
    assert run("api", "method/frappe.auth.get_logged_user") == running.users["hub"].name


def test_file_is_uploaded_and_read_again(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    path.write_text("Gracht")
    file = run("file", "upload", str(path), "--private")
    assert file["file_url"].startswith("/private/files/note")
    assert run("doc", "get", "File", file["name"])["is_private"] == 1


def test_refusals_are_told(run: Run) -> None:
    said = run("doc", "create", "Sales Order", "--set", "customer=Nobody", fails=True)
    assert "Nobody" in said

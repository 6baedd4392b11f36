"""The rules of what moves beside a document name fields that ERPNext's own DocTypes have."""

import json
from pathlib import Path

import pytest

from bascule.frappe.side_effects import SIDE_EFFECTS, affected_doctypes
from tests.sandbox.conformance.conftest import RECORDINGS

RECORDED = ("erpnext-books", "erpnext16")


def _fields(folder: Path) -> dict[str, set[str]]:
    found = {}
    for path in folder.glob("*.json"):
        definition = json.loads(path.read_text(encoding="utf-8"))
        named = {field["fieldname"] for field in definition["fields"]}
        found[definition["name"]] = named | {"name"}
    return found


@pytest.mark.parametrize("recorded", RECORDED)
def test_the_rules_name_fields_that_the_doctypes_have(recorded: str) -> None:
    """A field that is not there would silence its rule."""
    fields = _fields(RECORDINGS.parent / recorded / "doctypes")
    if not fields:
        pytest.skip(f"There are no recordings of {recorded} beside {RECORDINGS}")
    wrong = []
    for doctype, rules in SIDE_EFFECTS.items():
        for rule in rules:
            source, target = rule.rows or doctype, rule.held or rule.to
            asked = {source: {*rule.named, *(rule.when or ())[:1]}, target: {*rule.by}}
            wrong += [
                f"{about}.{field}"
                for about, named in asked.items()
                if about in fields
                for field in named - fields[about]
            ]
    assert not wrong
    assert affected_doctypes(["Delivery Note"]) >= {"Sales Order", "Bin", "Sales Invoice"}

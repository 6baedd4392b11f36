"""The DocTypes that the sandbox knows by itself, read from the text files beside this module.

The files hold facts of ERPNext's DocTypes (names, types, options, what is mandatory) in a notation
of ours; `notation` turns them into the JSON shape in which a site shows a DocType. The fields are
those that an integration meets, so the larger DocTypes are a subset of ERPNext's. They are those
of version 15; the folder `sixteen` holds what version 16 has otherwise.
"""

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from bascule.sandbox.core.doctypes.notation import parse
from bascule.sandbox.core.versions import FIFTEEN, SIXTEEN

_CHANGED = "2026-01-15 12:00:00"  # when the definitions of version 16 last changed


@cache
def _builtin(major: int) -> dict[str, dict[str, Any]]:
    if major < SIXTEEN:
        return dict(_read(files(__package__)))
    definitions = builtin()
    for name, change in _read(files(__package__) / "sixteen"):
        if change.pop("gone", None):
            definitions.pop(name, None)
        elif name in definitions:
            _change(definitions[name], change)
        else:
            definitions[name] = change
    for definition in definitions.values():
        definition["modified"] = _CHANGED
        if definition["sort_field"] == "modified":
            definition["sort_field"] = "creation"
    return definitions


def _read(folder: Traversable) -> Iterator[tuple[str, dict[str, Any]]]:
    texts = (entry for entry in folder.iterdir() if entry.name.endswith(".txt"))
    for text in sorted(texts, key=lambda entry: entry.name):
        for definition in parse(text.read_text(encoding="utf-8"), source=text.name):
            yield definition["name"], definition


def _change(definition: dict[str, Any], change: dict[str, Any]) -> None:
    """Fields in place of those of their names, new ones behind them, and none that are gone."""
    fields = {field["fieldname"]: field for field in definition["fields"]}
    fields |= {field["fieldname"]: field for field in change["fields"]}
    without = change.get("without", ())
    definition["fields"] = [one for name, one in fields.items() if name not in without]
    for order, field in enumerate(definition["fields"], start=1):
        field["idx"] = order


def builtin(major: int = FIFTEEN) -> dict[str, dict[str, Any]]:
    """DocType name -> definition, as `GET /api/resource/DocType/<name>` shows it; a fresh copy."""
    return {name: _copy(definition) for name, definition in _builtin(major).items()}


def _copy(definition: dict[str, Any]) -> dict[str, Any]:
    copied = dict(definition)
    copied["fields"] = [dict(field) for field in definition["fields"]]
    copied["permissions"] = [dict(permission) for permission in definition["permissions"]]
    return copied

"""The DocTypes that the sandbox knows by itself, read from the text files beside this module.

The files hold facts of ERPNext's DocTypes (names, types, options, what is mandatory) in a notation
of ours; `notation` turns them into the JSON shape in which a site shows a DocType. The fields are
those that an integration meets, so the larger DocTypes are a subset of ERPNext's.
"""

from functools import cache
from importlib.resources import files
from typing import Any

from bascule.sandbox.doctypes.notation import parse


@cache
def _builtin() -> dict[str, dict[str, Any]]:
    definitions: dict[str, dict[str, Any]] = {}
    texts = (entry for entry in files(__package__).iterdir() if entry.name.endswith(".txt"))
    for text in sorted(texts, key=lambda entry: entry.name):
        for definition in parse(text.read_text(encoding="utf-8"), source=text.name):
            definitions[definition["name"]] = definition
    return definitions


def builtin() -> dict[str, dict[str, Any]]:
    """DocType name -> definition, as `GET /api/resource/DocType/<name>` shows it; a fresh copy."""
    return {name: _copy(definition) for name, definition in _builtin().items()}


def _copy(definition: dict[str, Any]) -> dict[str, Any]:
    copied = dict(definition)
    copied["fields"] = [dict(field) for field in definition["fields"]]
    copied["permissions"] = [dict(permission) for permission in definition["permissions"]]
    return copied

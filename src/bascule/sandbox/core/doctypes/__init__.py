"""The DocTypes that the sandbox knows by itself, read from the text files of `core` and the apps.

A file holds facts of DocTypes (names, types, options, what is mandatory) of version 15 in a
notation of ours; `notation` turns them into the JSON shape in which a site shows a DocType. A file
`sixteen.txt` beside them holds what version 16 changes. The fields are those that integrations
use, so the larger DocTypes are a subset of ERPNext's.
"""

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from bascule.sandbox.core.doctypes.notation import parse
from bascule.sandbox.core.versions import FIFTEEN, SIXTEEN

_CHANGED = "2026-01-15 12:00:00"  # when the definitions of version 16 last changed
_SIXTEEN = "sixteen.txt"
_PACKAGES: list[str] = [__package__]


def provide(package: str) -> None:
    """The text files of that package define DocTypes too."""
    if package not in _PACKAGES:
        _PACKAGES.append(package)


def builtin(major: int = FIFTEEN) -> dict[str, dict[str, Any]]:
    """DocType name -> definition, as `GET /api/resource/DocType/<name>` shows it; a fresh copy."""
    known = _builtin(major, tuple(_PACKAGES))
    return {name: _copy(definition) for name, definition in known.items()}


@cache
def _builtin(major: int, packages: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    definitions = dict(_read(packages, sixteen=False))
    if major < SIXTEEN:
        return definitions
    for name, change in _read(packages, sixteen=True):
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


def _read(packages: tuple[str, ...], *, sixteen: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    for package in packages:
        texts = (entry for entry in files(package).iterdir() if entry.name.endswith(".txt"))
        for text in sorted(texts, key=lambda entry: entry.name):
            if (text.name == _SIXTEEN) == sixteen:
                source = f"{package}, {text.name}"
                for definition in parse(text.read_text(encoding="utf-8"), source=source):
                    yield definition["name"], definition


def _change(definition: dict[str, Any], change: dict[str, Any]) -> None:
    """Fields replace those of their names, new ones come last, and those that are gone go."""
    fields = {field["fieldname"]: field for field in definition["fields"]}
    fields |= {field["fieldname"]: field for field in change["fields"]}
    without = change.get("without", ())
    definition["fields"] = [one for name, one in fields.items() if name not in without]
    for order, field in enumerate(definition["fields"], start=1):
        field["idx"] = order


def _copy(definition: dict[str, Any]) -> dict[str, Any]:
    copied = dict(definition)
    copied["fields"] = [dict(field) for field in definition["fields"]]
    copied["permissions"] = [dict(permission) for permission in definition["permissions"]]
    return copied

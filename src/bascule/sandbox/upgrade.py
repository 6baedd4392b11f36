"""The same site after its upgrade to version 16: its DocTypes as that has them, values moved along.

What `bench migrate` does to what is stored: texts and dates stay where a field keeps its name, what
has no field any more is shown no more, and the sources of leads are those of campaigns.
"""

from dataclasses import replace
from typing import Any

from bascule.sandbox.apps import builtin
from bascule.sandbox.core.snapshot import Snapshot
from bascule.sandbox.core.versions import SIXTEEN

_RENAMED = {"Lead Source": "UTM Source"}
_MOVED = {"source": "utm_source"}


def upgraded(snapshot: Snapshot) -> Snapshot:
    """As version 16; one that is of that version already stays as it is."""
    if snapshot.major >= SIXTEEN:
        return snapshot
    before, after = builtin(snapshot.major), builtin(SIXTEEN)
    own = {name: one for name, one in snapshot.doctypes.items() if name not in before}
    gone = {name: _fields(one) - _fields(after.get(name, one)) for name, one in before.items()}
    documents: dict[str, list[dict[str, Any]]] = {}
    for name, found in snapshot.documents.items():
        moved = _MOVED if _fields(after.get(name, {})) & set(_MOVED.values()) else {}
        there = documents.setdefault(_RENAMED.get(name, name), [])
        there += [_document(one, gone, moved) for one in found]
    return replace(snapshot, doctypes=after | own, documents=documents, major=SIXTEEN)


def _fields(definition: dict[str, Any]) -> set[str]:
    return {field["fieldname"] for field in definition.get("fields", ())}


def _document(
    document: dict[str, Any], gone: dict[str, set[str]], moved: dict[str, str]
) -> dict[str, Any]:
    without = gone.get(document["doctype"], set())
    kept: dict[str, Any] = {}
    for field, value in document.items():
        if field in moved and field in without:
            kept[moved[field]] = value
        elif field not in without:
            rows = isinstance(value, list)
            kept[field] = [_document(row, gone, {}) for row in value] if rows else value
    kept["doctype"] = _RENAMED.get(document["doctype"], document["doctype"])
    return kept

"""A site out of a folder of recorded documents, DocTypes and users."""

import json
from pathlib import Path
from typing import Any

from bascule.sandbox.apps import builtin
from bascule.sandbox.core.snapshot import Snapshot
from bascule.sandbox.core.versions import FIFTEEN, SIXTEEN

# DocTypes that came with a version: a folder's own definitions tell its version by them.
_CAME_WITH = {SIXTEEN: {"Item Wise Tax Detail", "Tax Withholding Entry", "Budget Distribution"}}


def load_folder(path: Path, major: int | None = None) -> Snapshot:
    """Reads documents/*.jsonl, doctypes/*.json and users.json; OSError when one is not there.

    A DocType without a definition in the folder has the built-in one. An empty file of documents
    says that the site has none of that DocType. `major`: Frappe's version, which else the folder's
    definitions tell.
    """
    people = json.loads((path / "users.json").read_text(encoding="utf-8"))
    own = {}
    for file in sorted((path / "doctypes").glob("*.json")):
        definition = json.loads(file.read_text(encoding="utf-8"))
        own[definition["name"]] = definition
    told = [version for version, names in _CAME_WITH.items() if names & own.keys()]
    version = major or max(told, default=FIFTEEN)
    doctypes = builtin(version) | own
    documents: dict[str, list[dict[str, Any]]] = {}
    by_file = {name.lower().replace(" ", "_"): name for name in doctypes}
    for file in sorted((path / "documents").glob("*.jsonl")):
        if file.stem in by_file and not file.stat().st_size:
            documents[by_file[file.stem]] = []
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                document = json.loads(line)
                documents.setdefault(document["doctype"], []).append(document)
    return Snapshot(
        doctypes=doctypes,
        documents=documents,
        users=people["users"],
        time_zone=people["time_zone"],
        role_permissions=people.get("role_permissions", {}),
        major=version,
    )

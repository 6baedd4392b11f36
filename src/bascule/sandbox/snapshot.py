"""A site at one moment: its DocTypes, documents, users and time zone, shaped as a site answers.

What serves it is elsewhere; what makes one is `load_folder` or the demo company.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bascule.sandbox.core.doctypes import builtin
from bascule.sandbox.core.versions import CAME_WITH, FIFTEEN


@dataclass(eq=False)
class Snapshot:
    """`doctypes` by name, `documents` by DocType in order of creation, `users` by label.

    What is not among `documents` was not recorded; of what is there with none the site has none.

    A user has name, api_key, api_secret and roles; `role_permissions` adds rights to what the
    DocTypes say: role -> DocType -> ["read", ...]. `major` is Frappe's version.
    """

    doctypes: dict[str, dict[str, Any]]
    documents: dict[str, list[dict[str, Any]]]
    users: dict[str, dict[str, Any]] = field(repr=False)
    time_zone: str
    role_permissions: dict[str, dict[str, list[str]]]
    major: int = FIFTEEN


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
    told = [version for version, names in CAME_WITH.items() if names & own.keys()]
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

"""A site at one moment: its DocTypes, documents, users and time zone, shaped as a site answers."""

from dataclasses import dataclass, field
from typing import Any

from bascule.sandbox.core.versions import FIFTEEN


@dataclass(eq=False)
class Snapshot:
    """`doctypes` by name, `documents` by DocType in order of creation, `users` by label.

    What is not among `documents` was not recorded; of what is there with none the site has none.

    A user has name, api_key, api_secret, roles and perhaps a password; `role_permissions` adds
    rights to what the DocTypes say: role -> DocType -> ["read", ...]. `major` is Frappe's version.
    """

    doctypes: dict[str, dict[str, Any]]
    documents: dict[str, list[dict[str, Any]]]
    users: dict[str, dict[str, Any]] = field(repr=False)
    time_zone: str
    role_permissions: dict[str, dict[str, list[str]]]
    major: int = FIFTEEN

"""Which roles in ERPNext let a user read what is missing."""

from collections import Counter
from collections.abc import Mapping, Sequence


def step_to_read(missing: Mapping[str, Sequence[str]]) -> str:
    """What to do about several DocTypes that the user may not read; `missing` as below."""
    if roles := fewest_roles(missing):
        return f"Give the user these roles in ERPNext: {', '.join(roles)}."
    return "Give the user roles that may read them (in ERPNext: User, Roles)."


def fewest_roles(missing: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Few roles that together read all that is missing, as far as roles help: each with the
    DocTypes that it adds to those before it. A manager's only where no lesser one does as much.
    `missing`: DocType -> the roles that read it.
    """
    left = {doctype: roles for doctype, roles in missing.items() if roles}
    found: dict[str, list[str]] = {}
    while left:
        counts = Counter(role for roles in left.values() for role in roles)
        best = max(counts, key=lambda role: (counts[role], not role.endswith("Manager")))
        found[best] = [doctype for doctype, roles in left.items() if best in roles]
        left = {d: roles for d, roles in left.items() if best not in roles}
    return found

"""A snapshot made into a site: DocTypes, documents, users, and what every site has anyway."""

import re
from collections.abc import Iterator
from copy import deepcopy

from bascule.sandbox.core import copies, jobs
from bascule.sandbox.core.access.permissions import BESIDES, GUEST, User
from bascule.sandbox.core.database.tables import Row, Tables, quoted
from bascule.sandbox.core.doctypes import builtin, customization
from bascule.sandbox.core.doctypes.metadata import as_document
from bascule.sandbox.core.doctypes.schema import (
    TABLE_TYPES,
    DocType,
    Schema,
    inferred,
    inferred_fields,
)
from bascule.sandbox.core.documents import (
    attachments,
    custom_doctypes,
    custom_fields,
    desk_doctypes,
    system_settings,
    trees,
    users,
)
from bascule.sandbox.core.documents.defaults import set_defaults
from bascule.sandbox.core.documents.document import Document
from bascule.sandbox.core.documents.naming import random_name
from bascule.sandbox.core.errors import Call
from bascule.sandbox.core.fixtures import REFERENCE, of_every_site
from bascule.sandbox.core.site import Site
from bascule.sandbox.core.snapshot import Snapshot
from bascule.sandbox.core.versions import SIXTEEN
from bascule.sandbox.core.webhooks import webhooks

_BORN = "2013-01-10 16:34:14"


# Their events are registered where they are defined.
BEHAVIOURS = (
    attachments,
    custom_doctypes,
    custom_fields,
    desk_doctypes,
    jobs,
    system_settings,
    trees,
    users,
    webhooks,
)


def open_site(snapshot: Snapshot) -> Site:
    """The site of that snapshot, which stays as it was."""
    like = copies.loaded(snapshot)
    if like:
        site = Site(snapshot, Schema(like.definitions(), snapshot.major), like.tables.copy())
        customization.refresh_all(site.schema, site.tables)
        site.take_unrecorded(set(like.unrecorded))
        return site
    site = Site(snapshot, Schema(_definitions(snapshot), snapshot.major), Tables())
    for doctype in site.schema:
        if not doctype.is_single:
            site.tables.make(doctype)
    with site.tables.transaction():
        _load(site, snapshot)
    copies.remember(snapshot, site.tables, site.schema, site.all_unrecorded)
    return site


def _definitions(snapshot: Snapshot) -> dict[str, Row]:
    """All DocTypes: the snapshot's, the built-in ones, and inferred ones for the rest."""
    own = builtin(snapshot.major)
    known = own | deepcopy(snapshot.doctypes)
    children = {row["doctype"] for row in _rows(snapshot)}
    documents: dict[str, list[Row]] = {name: list(d) for name, d in snapshot.documents.items()}
    for row in _rows(snapshot):
        documents.setdefault(row["doctype"], []).append(row)
    for name, found in documents.items():
        if name not in known:
            known[name] = inferred(name, found, child=name in children)
            continue
        names = [entry.get("fieldname") for entry in known[name]["fields"]]
        more = inferred_fields(names, found)
        known[name]["fields"] += [entry for entry in more if entry["fieldtype"] != "Table"]
    for definition in list(known.values()):
        for entry in definition["fields"]:
            child = entry.get("options")
            if entry["fieldtype"] in TABLE_TYPES and child not in known:
                known[child] = inferred(child, [], child=True)
    for name in snapshot.doctypes:
        _complete_rights(known[name], own.get(name, {}))
    fresh = unique_names()
    for definition in known.values():
        for row in (*definition["fields"], *definition.setdefault("permissions", [])):
            row.setdefault("name", next(fresh))
    return known


def unique_names() -> Iterator[str]:
    """Random names, none twice: of some thousands in one moment two may well be the same."""
    given: set[str] = set()
    while True:
        name = random_name()
        if name not in given:
            given.add(name)
            yield name


def _complete_rights(definition: Row, own: Row) -> None:
    """What a folder left out of rights comes from the sandbox's own definition of the DocType: also
    that a role has them to what its user owns alone.
    """
    rows = definition.get("permissions") or []
    if any(row.get(right) for row in rows for right in BESIDES):
        return
    granted = {
        (row["role"], row.get("permlevel") or 0): {
            right: 1 for right in (*BESIDES, "if_owner") if row.get(right)
        }
        for row in own.get("permissions", ())
    }
    for row in rows:
        row.update(granted.get((row.get("role"), row.get("permlevel") or 0), {}))


def _rows(snapshot: Snapshot) -> Iterator[Row]:
    for documents in snapshot.documents.values():
        for document in documents:
            for value in document.values():
                if isinstance(value, list):
                    yield from value


def _grant(site: Site, role_permissions: dict[str, dict[str, list[str]]], stamps: Row) -> None:
    """The rights of the site's own roles: Frappe copies a DocType's permissions to change them."""
    for name in {name for rights in role_permissions.values() for name in rights}:
        if name not in site.schema:
            continue
        copied = list(site.schema[name].permissions)
        for role, rights in role_permissions.items():
            if name in rights:
                copied.append({"role": role, **dict.fromkeys(rights[name], 1)})
        for number, row in enumerate(copied):
            made = dict.fromkeys(("creation", "modified"), site.now())
            copied[number] = {**row, **stamps, **made, "name": random_name(), "parent": name}
        _fill(site, site.schema["Custom DocPerm"], copied)


def _load(site: Site, snapshot: Snapshot) -> None:
    """Fills the site's empty tables."""
    stamps = {"owner": "Administrator", "modified_by": "Administrator"}
    stamps |= {"creation": _BORN, "modified": _BORN}
    own = customization.own_customizations(site.schema, snapshot.documents, stamps)
    for name, documents in (*snapshot.documents.items(), *own.items()):
        _fill(site, site.schema[name], documents)
    _show_doctypes(site)
    known = {user["name"] for user in snapshot.documents.get("User", ())}
    users = [user for user in site.users.values() if user.name not in known]
    everyone = {user.name for user in users} | known
    users += [User(GUEST, "", "")] if GUEST not in everyone else []
    _fill(site, site.schema["User"], [_as_document(user, stamps) for user in users])
    for user in site.users.values():
        if user.password:
            site.tables.keep_password("User", user.name, "password", user.password)
    _grant(site, snapshot.role_permissions, stamps)
    customization.refresh_all(site.schema, site.tables)
    unknown = REFERENCE - snapshot.documents.keys()
    site.take_unrecorded({name for name in unknown if _is_empty(site, name)})
    for name, rows in of_every_site(site).items():
        if name not in snapshot.documents and _is_empty(site, name):
            _fill(site, site.schema[name], [stamps | row for row in rows])
    _count_on(site)
    _settle(site)


def _as_document(user: User, stamps: Row) -> Row:
    place = {"parent": user.name, "parentfield": "roles", "parenttype": "User"}
    roles = [
        {**stamps, **place, "name": random_name(), "idx": number, "role": role}
        for number, role in enumerate(user.roles, start=1)
    ]
    name = {"name": user.name, "email": user.name, "full_name": user.name}
    return {**stamps, **name, "first_name": user.name, "enabled": 1, "roles": roles}


def _fill(site: Site, doctype: DocType, documents: list[Row]) -> None:
    if doctype.is_single:
        for document in documents:
            site.tables.fill_single(doctype.name, document)
        return
    site.tables.fill(doctype, documents)
    for entry in doctype.tables:
        field, child = entry["fieldname"], entry.get("options")
        rows = [row for document in documents for row in document.get(field) or []]
        if rows and child in site.schema:
            site.tables.fill(site.schema[str(child)], rows)


def _show_doctypes(site: Site) -> None:
    """The DocTypes as documents of their own, as lists of DocType and DocField show them."""
    for doctype in site.schema:
        site.schema.add(site.schema.original(doctype.name) | {"migrated": site.now()})
    shown = [as_document(site.schema, doctype.name) for doctype in site.schema]
    _fill(site, site.schema["DocType"], shown)


def _is_empty(site: Site, doctype: str) -> bool:
    return doctype not in site.schema or site.tables.is_empty(doctype)


def _count_on(site: Site) -> None:
    """Series go on behind the last name that was made of them."""
    for doctype in site.schema:
        rule = doctype.autoname
        counted = "#" in rule or rule.startswith(("naming_series", "format"))
        if doctype.is_single or not counted:
            continue
        last: dict[str, int] = {}
        for (name,) in site.tables.run(f"SELECT `name` FROM {quoted(doctype.name)}"):
            if match := re.fullmatch(r"(.*?)(\d{1,15})", name):
                last[match[1]] = max(last.get(match[1], 0), int(match[2]))
        for prefix, number in last.items():
            site.tables.run(
                "INSERT INTO `tabSeries` VALUES (?, ?) ON CONFLICT (`name`)"
                " DO UPDATE SET `current` = max(`current`, excluded.`current`)",
                (prefix, number),
            )


def _settle(site: Site) -> None:
    """Singles that the snapshot does not have, with their defaults and ERPNext's setup."""
    setup = {
        **{"app_name": "ERPNext", "time_zone": site.time_zone, "setup_complete": 1},
        **{"language": "en", "country": site.defaults().get("country"), "enable_onboarding": 1},
        **({"currency": site.defaults().get("currency")} if site.schema.major >= SIXTEEN else {}),
        **{"date_format": "dd-mm-yyyy", "number_format": "#,###.##", "float_precision": "3"},
        **{"currency_precision": "", "rounding_method": "Banker's Rounding"},
        **{"enable_scheduler": 1, "enable_telemetry": 0},
    }
    for doctype in site.schema:
        if not doctype.is_single or site.single(doctype.name).get("modified"):
            continue
        document = Document(doctype, {}, is_new=True)
        if doctype.name == "System Settings":
            document.values |= setup
        set_defaults(site, Call("Administrator"), document)
        stamps = {"name": doctype.name, "owner": "Administrator", "docstatus": 0, "idx": "0"}
        stamps |= {"modified": site.now(), "modified_by": "Administrator"}
        site.tables.fill_single(doctype.name, document.values | stamps)

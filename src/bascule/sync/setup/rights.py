"""Whether the hub's user holds the rights that two-way sync needs, and the mapping fills what a
site wants filled: tried before anything is turned on. Writes nothing.

Follows ERPNext 15 and 16: an Address may be everybody's to read, yet only one's own.
"""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bascule.frappe import DocType, Field, NoPermission, Site
from bascule.frappe.permissions import Roles, has_permission, is_only_if_owner
from bascule.sync.fields import PARTS, Part
from bascule.sync.mapping import NEEDED_OF_ADDRESS, Mapped
from bascule.sync.receive.party import DOCTYPES, doctype_of, link_field

RIGHTS = ("read", "write", "create")
Metas = Mapping[Part, DocType]
Note = tuple[str, str]
SAMPLE = 200  # documents whose Addresses and Contacts are asked for
# What a document has beside what it is sent: the hub's own words, and ERPNext's naming series.
_FILLED: dict[Part, set[str]] = {"address": {"address_type", "address_title"}}
_BY_ITSELF = "naming_series"


@dataclass(frozen=True)
class Right:
    """`given` None: the site does not say. `own`: it is given for what the user made itself alone,
    which is not enough. `roles`: those that have it.
    """

    doctype: str
    right: str
    given: bool | None
    roles: tuple[str, ...] = ()
    own: bool = False


async def rights_of(site: Site, fields: Mapped, metas: Metas, roles: Roles) -> list[Right]:
    """Each right that is needed, of the DocType, its Address and its Contact; and to add the hub's
    own field.
    """
    wanted = [(part, right) for part in PARTS for right in RIGHTS]
    doctypes = {part: doctype_of(fields.type, part) for part in PARTS}
    asked = [has_permission(site, doctypes[part], right) for part, right in wanted]
    *told, custom = await asyncio.gather(*asked, has_permission(site, "Custom Field", "create"))
    found = []
    for (part, right), given in zip(wanted, told, strict=True):
        meta = metas.get(part)
        own = meta is not None and right != "create" and is_only_if_owner(meta, roles, right)
        helping = meta.roles_that_may(right) if meta is not None else ()
        found.append(Right(doctypes[part], right, given and not own, helping, own))
    return [*found, Right("Custom Field", "create", custom, ("System Manager",))]


def refusals(fields: Mapped, rights: list[Right]) -> list[Note]:
    """Without these nothing would go in one of the two directions."""
    main = fields.type.doctype
    lacking = [one for one in rights if one.doctype == main and one.given is False]
    needed = [one for one in lacking if one.right in ("read", "write")]
    if not needed:
        return []
    what = " or ".join(one.right for one in needed)
    return [(f"The hub's user may not {what} documents of {main}.", _step(needed))]


def lacks(fields: Mapped, rights: list[Right], *, saves_parts: bool) -> Iterator[Note]:
    """What does not work for want of a right, though the rest does. `saves_parts`: the site saves
    an Address and a Contact with their document.
    """
    main = fields.type.doctype
    kind = fields.type
    for doctype in (main, *DOCTYPES.values()):
        lacking = [one for one in rights if one.doctype == doctype and one.given is False]
        if doctype == main:
            lacking = [one for one in lacking if one.right == "create"]
            means = f"{kind.plural} that are made here cannot be made there"
        elif any(one.right == "read" for one in lacking):
            means = "what it may not read is unread here, and is not changed"
        else:
            means = "what others made is not changed"
        if lacking:
            what = " or ".join(one.right for one in lacking)
            beside = ", but for what it made itself" if any(one.own for one in lacking) else ""
            if saves_parts and doctype != main and any(one.right == "write" for one in lacking):
                means += f"; nor is its {main}, which this version saves with it"
            told = f"The hub's user may not {what} documents of {doctype}{beside}: {means}."
            yield told, _step(lacking)


def _step(lacking: list[Right]) -> str:
    """The roles that have all of what is missing, else those for each."""
    common = [role for role in lacking[0].roles if all(role in one.roles for one in lacking)]
    if common:
        return f"Give the user one of these roles in ERPNext: {', '.join(common)}."
    each = [f"{one.right}: {', '.join(one.roles)}" for one in lacking if one.roles]
    if each:
        return f"Give the user roles in ERPNext that have these rights. {'; '.join(each)}."
    return "Give the user a role in ERPNext that has these rights."


def of_own_field(rights: list[Right], own_field: str | None) -> Iterator[Note]:
    own = next(one for one in rights if one.doctype == "Custom Field")
    if own_field is None and own.given is False:
        yield (
            "The hub's user may not add a Custom Field, so the hub's own field cannot be added: "
            "after a lost answer a document is looked for by name, owner and time.",
            _step([own]),
        )


def unfilled(fields: Mapped, metas: Metas) -> Iterator[Note]:
    """What a DocType wants and a record may not have: the site would refuse it."""
    for part, meta in metas.items():
        mapped = {one.place.field: one for one in fields.of_part(part) if one.place}
        mapped |= {one.place.table: one for one in fields.of_part(part)
                   if one.place and one.place.table}  # fmt: skip
        for wanted in meta.fields:
            one = mapped.get(wanted.name)
            if not wanted.required or _has_default(wanted) or wanted.name in _FILLED.get(part, ()):
                continue
            label = wanted.label or wanted.name
            if one is None:
                yield (
                    f"{meta.name} needs {label} ({wanted.name}), and no field here goes there: the "
                    "site refuses what is made here.",
                    "Map a field to it, with a default, or give it a default in ERPNext.",
                )
            elif not (one.required or one.needed or one.name in NEEDED_OF_ADDRESS or one.default):
                yield (
                    f"{meta.name} needs {label} ({wanted.name}): the site refuses a record without "
                    f"{one.label}.",
                    f"Say in the mapping that {one.name} is needed, or give it a default.",
                )


def _has_default(wanted: Field) -> bool:
    """Of a choice Frappe takes the first."""
    first = (wanted.options or "").partition("\n")[0] if wanted.type == "Select" else ""
    return bool(
        wanted.default or first or wanted.name == _BY_ITSELF or wanted.read_only or wanted.virtual
    )


async def not_given(site: Site, fields: Mapped) -> list[Note]:
    """Of some documents, how many Addresses and Contacts they have that are not given: User
    Permissions let through some, and no definition tells which.
    """
    notes: list[Note] = []
    kind = fields.type
    for part, doctype in DOCTYPES.items():
        name = link_field(kind, part)
        try:
            rows = await site.list(
                kind.doctype, (name,), filters=[[name, "is", "set"]], order_by="modified desc",
                limit=SAMPLE,
            )  # fmt: skip
            named = sorted({str(row[name]) for row in rows})
            filters = [["name", "in", named]]
            given = (
                len(await site.list(doctype, ("name",), filters=filters, limit=0)) if named else 0
            )
        except NoPermission:
            continue
        if given < len(named):
            notes.append((
                f"Of {len(named):,} that were tried, {len(named) - given:,} primary {doctype} "
                "documents are not given to the hub's user: their fields stay unread here.",
                f"Look at the User Permissions of the hub's user, and its right to read {doctype}.",
            ))  # fmt: skip
    return notes

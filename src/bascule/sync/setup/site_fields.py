"""What a site can hold of a record type, and the one field of the hub's own that it may add there.

Asked before two-way sync is turned on, and again whenever somebody wants to know.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bascule.frappe import DocType, NoPermission, NotFound, Site
from bascule.frappe.permissions import fields_above, roles_of_user
from bascule.outbox import key_fields
from bascule.outbox.key_fields import OWN_FIELD
from bascule.sync.fields import PARTS, Field, Part, RecordType
from bascule.sync.mapping import Mapped
from bascule.sync.receive.party import CHILDREN, DOCTYPES, doctype_of, link_field, saves_parts
from bascule.sync.setup.masks import masked_fields
from bascule.sync.setup.rights import (
    Note,
    Right,
    lacks,
    not_given,
    of_own_field,
    refusals,
    rights_of,
    unfilled,
)
from bascule.sync.setup.site_defaults import COUNTRY, Missing, missing, other_country


@dataclass
class SiteFields:
    """`cannot_hold`: local field -> why. `companies`: those a credit limit may be about. `notes`:
    what limits two-way sync, in words; each with its next step. `refused`: why it cannot be turned
    on, in the same way.
    `rights`: those that were tried. `is_read`: whether the user may read what the DocType is made
    of; if not, `own_field` is not known. `missing`: defaults that the site does not have.
    """

    cannot_hold: dict[str, str] = field(default_factory=dict)
    companies: list[str] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    is_read: bool = False
    own_field: str | None = None
    missing: list[Missing] = field(default_factory=list)
    refused: list[Note] = field(default_factory=list)
    rights: list[Right] = field(default_factory=list)
    metas: dict[Part, DocType] = field(default_factory=dict)
    roles: frozenset[str] = frozenset()

    @property
    def site_defaults(self) -> dict[str, Any]:
        """What stands in for those of the type's defaults that are missing, by the field."""
        return {one.field.name: one.instead for one in self.missing if not one.chosen}


async def examine(site: Site, fields: Mapped, versions: Mapping[str, Any]) -> SiteFields:
    """What `look` finds, and whether the user holds the rights that two-way sync needs, and a
    record has what the site wants. `versions`: of the site's apps.
    """
    found = await look(site, fields)
    found.rights = await rights_of(site, fields, found.metas, found.roles)
    found.refused = [
        *refusals(fields, found.rights),
        *await masked_fields(site, fields, found.metas),
    ]
    found.refused += [one.note for one in found.missing if one.chosen]
    owners = [*lacks(fields, found.rights, saves_parts=saves_parts(fields.type, versions))]
    found.notes += owners
    if not owners:
        found.notes += await not_given(site, fields)
    found.notes += of_own_field(found.rights, found.own_field)
    found.notes += unfilled(_as_it_will_be(fields, found), found.metas)
    return found


def _as_it_will_be(fields: Mapped, found: SiteFields) -> Mapped:
    instead = found.site_defaults
    return replace(
        fields,
        fields=tuple(
            replace(one, default=instead[one.name]) if one.name in instead else one
            for one in fields.fields
        ),
    )


async def look(site: Site, fields: Mapped) -> SiteFields:
    """A handful of requests; FrappeError where the site does not answer at all."""
    found = SiteFields(roles=await roles_of_user(site) or frozenset())
    found.companies = await _companies(site)
    for part in PARTS:
        doctype = doctype_of(fields.type, part)
        try:
            meta = await site.meta(doctype)
        except NoPermission as error:
            found.notes.append(
                (
                    f"What a {doctype} is made of may not be read, so fields are not checked.",
                    error.next_step,
                )
            )
            continue
        except NotFound:
            found.cannot_hold |= {
                one.name: f"The site has no DocType {doctype}." for one in _of(fields, part)
            }
            continue
        found.metas[part] = meta
        found.cannot_hold |= _lacking(meta, fields, part)
        found.cannot_hold |= _above(meta, found.roles, fields, part)
        lacking = await missing(site, meta, fields, part, found.companies)
        found.missing += lacking
        if not any(one.doctype == COUNTRY for one in lacking):
            other = await other_country(site, fields, part, found.companies)
            found.notes += [other] if other is not None else []
        if part == "main":
            found.is_read = True
            found.own_field = OWN_FIELD if meta.field(OWN_FIELD) is not None else None
    found.notes += [one.note for one in found.missing if not one.chosen]
    return found


def _of(fields: Mapped, part: Part) -> list[Field]:
    return [one for one in fields.fields if one.place is not None and one.place.part == part]


def _lacking(meta: DocType, fields: Mapped, part: Part) -> Mapping[str, str]:
    lacking: dict[str, str] = {}
    for one in _of(fields, part):
        assert one.place is not None  # noqa: S101
        name = one.place.table or one.place.field
        there = meta.field(name)
        if there is None:
            lacking[one.name] = (
                f"The site's {meta.name} has no field {name}: it is kept here alone until you pick "
                "another field for it."
            )
        elif there.virtual or (there.type == "Read Only"):
            lacking[one.name] = f"The site computes {name} itself."
        elif one.place.table and one.place.table not in CHILDREN:
            lacking[one.name] = f"Rows of {name} are not read."
    if part == "main":
        for other in DOCTYPES:
            if meta.field(link_field(fields.type, other)) is None:
                lacking |= {
                    one.name: f"The site's {meta.name} has no primary {other.title()}."
                    for one in _of(fields, other)
                }
    return lacking


def _above(meta: DocType, roles: frozenset[str], fields: Mapped, part: Part) -> dict[str, str]:
    """Fields of a permission level that the user has not: of these it reads nothing, and what it
    writes is put back without a word. One that names the Address hides whether there is one.
    """
    told: dict[str, str] = {}
    if not roles:
        return told
    for right in ("write", "read"):
        for one in fields_above(meta, roles, right):
            helping = ", ".join(meta.roles_that_may(right, one.permlevel)) or "no role"
            why = (
                f"The hub's user may not {right} {one.name}: it has permission level "
                f"{one.permlevel} of {meta.name}, which these roles have: {helping}."
            )
            for other in DOCTYPES if right == "read" else ():
                if one.name == link_field(fields.type, other):
                    told |= {each.name: why for each in _of(fields, other)}
            told |= {
                each.name: why
                for each in _of(fields, part)
                if each.place and (each.place.table or each.place.field) == one.name
            }
    return told


async def _companies(site: Site) -> list[str]:
    try:
        rows = await site.list("Company", ("name",), order_by="name asc", limit=200)
    except (NoPermission, NotFound):
        return []
    return [str(row["name"]) for row in rows]


async def add_own_field(site: Site, kind: RecordType) -> tuple[str | None, Note | None]:
    """The field by which a document is known to be a record's, unique so that the site itself
    refuses a second one; its name, or None and why not, with the next step.
    """
    there = next(one.place.field for one in kind.fields if one.name == kind.title and one.place)
    return await key_fields.add_own_field(site, kind.doctype, there)

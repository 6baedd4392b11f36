"""What a site can hold of a record type, and the one field of the hub's own that it may add there.

Asked before two-way sync is turned on, and again whenever somebody wants to know.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from bascule.frappe import DocType, Duplicate, FrappeError, NoPermission, NotFound, Site
from bascule.twoway.fields import PARTS, Field, Part
from bascule.twoway.mapping import Mapped
from bascule.twoway.party import CHILDREN, DOCTYPES, doctype_of, link_field

OWN_FIELD = "bascule_id"


@dataclass
class Found:
    """`cannot_hold`: local field -> why. `companies`: those a credit limit may be about. `notes`:
    what limits two-way sync, in words; each with its next step. `defaults`: of these, those about
    the default of a field, by the field. `is_read`: whether the user may read what the DocType is
    made of; if not, `own_field` is not known.
    """

    cannot_hold: dict[str, str] = field(default_factory=dict)
    companies: list[str] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    is_read: bool = False
    own_field: str | None = None
    defaults: dict[str, tuple[str, str]] = field(default_factory=dict)


async def look(site: Site, fields: Mapped) -> Found:
    """A handful of requests; FrappeError where the site does not answer at all."""
    found = Found()
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
        found.cannot_hold |= _lacking(meta, fields, part)
        found.defaults |= await _defaults_not_there(site, meta, fields, part)
        if part == "main":
            found.is_read = True
            found.own_field = OWN_FIELD if meta.field(OWN_FIELD) is not None else None
    found.notes += found.defaults.values()
    found.companies = await _companies(site)
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


async def _defaults_not_there(
    site: Site, meta: DocType, fields: Mapped, part: Part
) -> dict[str, tuple[str, str]]:
    """Defaults that name a document which the site does not have, such as a customer group."""
    notes: dict[str, tuple[str, str]] = {}
    for one in _of(fields, part):
        assert one.place is not None  # noqa: S101
        there = meta.field(one.place.field)
        if there is None or there.type != "Link" or one.default is None or not there.options:
            continue
        try:
            known = await site.list(
                there.options, ("name",), filters=[["name", "=", one.default]], limit=1
            )
        except (NoPermission, NotFound):
            continue
        if not known:
            notes[one.name] = (
                f"The site has no {there.options} {one.default!r}, which is what {one.label} "
                "is where nothing is said.",
                f"Choose another default for {one.label}, or make it in ERPNext.",
            )
    return notes


async def _companies(site: Site) -> list[str]:
    try:
        rows = await site.list("Company", ("name",), order_by="name asc", limit=200)
    except (NoPermission, NotFound):
        return []
    return [str(row["name"]) for row in rows]


async def add_own_field(site: Site, doctype: str) -> tuple[str | None, str | None]:
    """The field by which a document is known to be a record's, unique so that the site itself
    refuses a second one; its name, or None and why not.
    """
    field_values = {
        "dt": doctype,
        "fieldname": OWN_FIELD,
        "label": "Bascule ID",
        "fieldtype": "Data",
        "unique": 1,
        "read_only": 1,
        "hidden": 1,
        "no_copy": 1,
        "print_hide": 1,
        "description": "Tells the record in Bascule that this belongs to.",
    }
    try:
        await site.insert("Custom Field", field_values)
    except Duplicate:
        return OWN_FIELD, None
    except FrappeError as error:
        if "already exists" in str(error):
            return OWN_FIELD, None
        return None, f"{error} {error.next_step}"
    return OWN_FIELD, None

"""Defaults of a record type that a site does not have, such as its customer group, and what the
site has instead. What people chose as a default is never replaced.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bascule.frappe import DocType, Invalid, NoPermission, NotFound, Site
from bascule.sync.fields import Field, Part, RecordType
from bascule.sync.mapping import Mapped
from bascule.sync.setup.rights import Note

SAMPLE = 200  # documents whose group is looked at
COUNTRY = "Country"


@dataclass(frozen=True)
class Missing:
    """A default that the site does not have. `instead`: what the site has; None: nothing, so a new
    record has none. `chosen`: people chose it, so nothing takes its place.
    """

    field: Field
    doctype: str
    chosen: bool
    instead: Any = None
    why: str = ""

    @property
    def note(self) -> Note:
        lacks = f"The site has no {self.doctype} {self.field.default!r}, which is what "
        lacks += f"{self.field.label} is where nothing is said"
        if self.chosen:
            return (
                f"{lacks}: it refuses what is made here.",
                f"Choose another default for {self.field.label}, or make it in ERPNext.",
            )
        if self.instead is None:
            return (
                f"{lacks}: {self.field.label} stays empty then.",
                f"Choose another default for {self.field.label}, or make it in ERPNext.",
            )
        return (
            f"{lacks}: it is {self.instead!r} instead, {self.why}.",
            f"Choose another default for {self.field.label}, if that is not right.",
        )


async def missing(
    site: Site, meta: DocType, fields: Mapped, part: Part, companies: Sequence[str]
) -> list[Missing]:
    """Of the defaults of a DocType's fields those that name a document which is not there."""
    found: list[Missing] = []
    usual = {one.name: one.default for one in fields.type.fields}
    for one in fields.fields:
        there = meta.field(one.place.field) if one.place and one.place.part == part else None
        if there is None or there.type != "Link" or one.default is None or not there.options:
            continue
        try:
            known = await site.list(
                there.options, ("name",), filters=[["name", "=", one.default]], limit=1
            )
        except (NoPermission, NotFound):
            continue
        if known:
            continue
        if one.default != usual.get(one.name):
            found.append(Missing(one, there.options, chosen=True))
            continue
        instead, why = await _instead(site, fields, one, there.options, companies)
        found.append(Missing(one, there.options, False, instead, why))
    return found


async def _instead(
    site: Site, fields: Mapped, one: Field, doctype: str, companies: Sequence[str]
) -> tuple[Any, str]:
    try:
        if doctype == COUNTRY:
            return await _country(site, fields.company or next(iter(companies), None))
        return await _leaf(site, fields.type, one, doctype)
    except (NoPermission, NotFound, Invalid):
        return None, ""  # no tree, or none that may be read


async def _country(site: Site, company: str | None) -> tuple[Any, str]:
    if company is None:
        return None, ""
    rows = await site.list("Company", ("country",), filters=[["name", "=", company]], limit=1)
    return next((row["country"] or None for row in rows), None), f"the country of {company}"


async def _leaf(site: Site, kind: RecordType, one: Field, doctype: str) -> tuple[Any, str]:
    """The leaf in which most of the documents are that were changed last; else the first."""
    leaves = await site.list(
        doctype, ("name",), filters=[["is_group", "=", 0]], order_by="lft asc", limit=0
    )
    names = [str(row["name"]) for row in leaves]
    assert one.place is not None  # noqa: S101 - it has a default at the site
    column = one.place.field
    rows = await site.list(
        kind.doctype, (column,), filters=[[column, "in", names]], order_by="modified desc",
        limit=SAMPLE,
    ) if names else []  # fmt: skip
    if rows:
        [(most, _)] = Counter(str(row[column]) for row in rows).most_common(1)
        return most, f"which most {kind.plural} there have"
    return next(iter(names), None), f"the first {doctype} that is no group"


async def other_country(
    site: Site, fields: Mapped, part: Part, companies: Sequence[str]
) -> Note | None:
    """Where the site has the usual country and its company is in another: told, not replaced."""
    usual = {one.name: one.default for one in fields.type.fields}
    for one in fields.fields:
        at_country = one.place is not None and (one.place.part, one.place.field) == (
            part,
            "country",
        )
        if not at_country or one.default is None or one.default != usual.get(one.name):
            continue
        try:
            country, why = await _country(site, fields.company or next(iter(companies), None))
        except (NoPermission, NotFound):
            return None
        if country is not None and country != one.default:
            return (
                f"{one.label} is {one.default!r} where nothing is said; {why} is {country!r}.",
                f"Choose another default for {one.label}, if that is not right.",
            )
    return None

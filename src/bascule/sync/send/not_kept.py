"""What a site took and did not keep: fields that it drops, or puts back, without a word.

It drops what a DocType does not have. It puts back what is above the user's permission level, to
what it was before, or in a new document to its default.
"""

from collections.abc import Mapping
from typing import Any

from bascule.frappe import FrappeError
from bascule.frappe.permissions import fields_above, roles_of_user
from bascule.sync.fields import Field, Part, same
from bascule.sync.receive.apply_remote import RemoteSnapshot
from bascule.sync.receive.party import Document, doctype_of, value_in, values_of
from bascule.sync.send.work import Sending
from bascule.sync.tables import TwoWay


def record_not_kept(work: Sending, part: Part, values: Mapping[str, Any], stored: Document) -> None:
    """Fields that were sent and that an answer has not, or has as they were before."""
    for name, value in values.items():
        one = work.fields.by_name[name]
        kept = value_in(work.fields, one, stored)
        if same(one, kept, value):
            continue
        if kept in (None, ""):
            _note(work, part, one, f"has no field {one.place}, or the hub's user may not write it")
        elif same(one, kept, work.link.base.get(name)):
            _note(work, part, one, f"put {one.place} back: the hub's user may not write it, or it "
                  "is filled in by the site itself")  # fmt: skip


async def note_not_kept_of_new(work: Sending, seen: RemoteSnapshot) -> None:
    """Of what a new document was sent: what is empty in it, or has the default of a field that the
    hub's user may not write. The rest is the site's own way of writing it.
    """
    there = values_of(work.fields, seen.party)
    differ = {
        name: there[name]
        for name, value in work.sent.items()
        if name in there and not same(work.fields.by_name[name], there[name], value)
    }
    fixed = await _above(work, {part_of(work.fields.by_name[name]) for name in differ})
    for name, kept in differ.items():
        one = work.fields.by_name[name]
        part = part_of(one)
        if kept in (None, ""):
            _note(work, part, one, f"has no field {one.place}, or the hub's user may not write it")
        elif one.place and (part, one.place.table or one.place.field) in fixed:
            _note(work, part, one, f"filled in {one.place} itself: the hub's user may not write it")
    work.sent = {name: value for name, value in work.sent.items() if name not in work.not_kept}
    await mark_not_kept(work)


def part_of(one: Field) -> Part:
    return one.place.part if one.place else "main"


async def _above(work: Sending, parts: set[Part]) -> set[tuple[Part, str]]:
    """Fields of these documents that the hub's user may not write; none where nobody says."""
    found: set[tuple[Part, str]] = set()
    try:
        roles = await roles_of_user(work.site) if parts else None
        for part in parts if roles is not None else ():
            meta = await work.site.meta(doctype_of(work.fields.type, part))
            found |= {(part, one.name) for one in fields_above(meta, roles or (), "write")}
    except FrappeError:
        return found
    return found


def _note(work: Sending, part: Part, one: Field, why: str) -> None:
    doctype = doctype_of(work.fields.type, part)
    work.not_kept[one.name] = f"The site took it and did not keep it: its {doctype} {why}."


async def mark_not_kept(work: Sending) -> None:
    """From now on these are kept here alone, and everybody can read why."""
    if not work.not_kept:
        return
    async with work.hub.db.session() as session:
        two_way = await session.get(TwoWay, work.two_way.id, with_for_update=True)
        if two_way is not None:
            two_way.cannot_hold = {**two_way.cannot_hold, **work.not_kept}

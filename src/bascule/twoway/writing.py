"""What is written to the site: of each document what the record has otherwise, on the condition
that it is as both sides last agreed on. When, and what becomes of it, is `sending`'s.
"""

from collections.abc import Mapping
from typing import Any

from bascule.frappe import ChangedMeanwhile, FrappeError
from bascule.twoway.fields import Part, same
from bascule.twoway.parts import linked_or_made
from bascule.twoway.party import (
    Document,
    Party,
    changes_for,
    doctype_of,
    link_field,
    value_in,
)
from bascule.twoway.plan import plan_of
from bascule.twoway.tables import TwoWay
from bascule.twoway.taking import Seen, ahead_of_us
from bascule.twoway.work import Sending


class WritingFailed(Exception):
    """Which of the documents a refusal is about."""

    def __init__(self, part: Part, error: FrappeError) -> None:
        super().__init__(str(error))
        self.part, self.error = part, error


async def write(work: Sending) -> Seen | None:
    """What the record has otherwise than both sides last agreed on; what the site answered. None:
    an Address or a Contact was made, and has to be read.

    The document itself goes first: saving its Address may move its time of change.
    """
    plan = plan_of(work.fields, work.whole.record, work.link, work.in_conflict)
    started = work.clock
    values = dict(work.whole.record.values)
    stored: dict[Part, Document] = {}
    for part, names in plan.send.items():
        document = await _known(work, part, names)
        changes = changes_for(work.fields, part, values, names, document)
        stored[part] = await _update(work, part, document, changes)
        _note_dropped(work, part, names, values, stored[part])
        work.sent |= {name: values.get(name) for name in names if name not in work.not_kept}
    await _mark_not_kept(work)
    for part in plan.missing:
        await _make_part(work, part)
    if plan.missing:
        return None
    party = Party(stored, frozenset(stored))
    return Seen(party, started, "send", work.connection.time_zone, **await ahead(work))


async def _known(work: Sending, part: Part, names: list[str]) -> Document:
    """The document as both sides last agreed on it: its name and time of change, and where a row of
    a child table is to be changed, the rows that are there beside it.
    """
    link = work.link
    name = str(link.document if part == "main" else link.parts[part])
    known: Document = {"name": name, "modified": str(link.modified.get(part) or "")}
    places = [work.fields.by_name[each].place for each in names]
    if not any(place and place.table for place in places):
        return known
    doctype = doctype_of(work.fields.type, part)
    try:
        async with work.asking(f"{doctype} {name}"):
            document = await work.site.document(doctype, name)
    except FrappeError as error:
        raise WritingFailed(part, error) from None
    if document["modified"] != known["modified"]:
        raise WritingFailed(part, ChangedMeanwhile("It was changed.", next_step="Read it."))
    return document


async def _update(work: Sending, part: Part, document: Document, changes: Document) -> Document:
    doctype, name = doctype_of(work.fields.type, part), str(document["name"])
    based_on = str(document["modified"])
    try:
        async with work.said(
            "update", f"{doctype} {name}", {**changes, "modified": based_on}
        ) as said:
            stored: Document = await work.site.update(doctype, name, changes, based_on=based_on)
            said.answer = stored
    except FrappeError as error:
        raise WritingFailed(part, error) from None
    return stored


async def _make_part(work: Sending, part: Part) -> None:
    """The document gets the Address or Contact that it lacks, as its primary one. What is in it is
    read and merged in the next round.
    """
    kind, owner = work.fields.type, str(work.link.document)
    try:
        found = await linked_or_made(work, part, owner)
        main = await work.site.document(kind.doctype, owner)
        await _update(work, "main", main, {link_field(kind, part): found["name"]})
    except FrappeError as error:
        raise WritingFailed(part, error) from None


def _note_dropped(
    work: Sending, part: Part, names: list[str], values: Mapping[str, Any], stored: Document
) -> None:
    """Fields that the site was sent and has not: it says nothing of them by itself."""
    for name in names:
        one = work.fields.by_name[name]
        kept = value_in(work.fields, one, stored)
        if kept in (None, "") and not same(one, kept, values.get(name)):
            doctype = doctype_of(work.fields.type, part)
            work.not_kept[name] = (
                f"The site took it and did not keep it: its {doctype} has no field {one.place}, or "
                "the hub's user may not write it."
            )


async def _mark_not_kept(work: Sending) -> None:
    """From now on these are kept here alone, and everybody can read why."""
    if not work.not_kept:
        return
    async with work.hub.db.session() as session:
        two_way = await session.get(TwoWay, work.two_way.id, with_for_update=True)
        if two_way is not None:
            two_way.cannot_hold = {**two_way.cannot_hold, **work.not_kept}


async def ahead(work: Sending) -> dict[str, Any]:
    policies = {work.two_way.policy, *work.two_way.field_policies.values()}
    if "newest" not in policies:
        return {}
    return {"ahead": await ahead_of_us(work.site, work.connection.time_zone)}

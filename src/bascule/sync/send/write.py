"""What is written to the site: of each document what the record has otherwise, on the condition
that it is as both sides last agreed on. When, and what becomes of it, is `sending`'s.
"""

from collections.abc import Collection, Iterable
from typing import Any

from bascule.frappe import ChangedMeanwhile, FrappeError, Invalid, NoPermission
from bascule.sync.fields import Part, same
from bascule.sync.receive.apply_remote import RemoteSnapshot, ahead_of_us
from bascule.sync.receive.party import (
    DOCTYPES,
    Document,
    Party,
    changes_for,
    doctype_of,
    link_field,
    value_in,
)
from bascule.sync.send.failures import failure_of, is_about_values, local_names, refused_of
from bascule.sync.send.not_kept import mark_not_kept, record_not_kept
from bascule.sync.send.parts import linked_or_made
from bascule.sync.send.plan import plan_of
from bascule.sync.send.work import Sending
from bascule.sync.setup.masks import refuse_what_looks_masked


class WritingFailed(Exception):
    """Which of the documents a refusal is about."""

    def __init__(self, part: Part, error: FrappeError) -> None:
        super().__init__(str(error))
        self.part, self.error = part, error


async def write(work: Sending) -> RemoteSnapshot | None:
    """What the record has otherwise than both sides last agreed on; what the site answered. None:
    an Address or a Contact was made or taken away, and has to be read. What the site refuses is in
    `work.refused`, and holds up nothing else.

    The document itself goes first: saving its Address moves its time of change.
    """
    plan = plan_of(work.fields, work.whole.record, work.link, work.held)
    started = work.clock
    stored: dict[Part, Document] = {}
    for part, names in plan.send.items():
        try:
            moved = part in work.link.moved or (work.saves_parts and "main" in stored)
            document = await _known(work, part, names, moved=moved)
            taken = await _send(work, part, document, names)
        except WritingFailed as failed:
            if not is_about_values(failed.error):
                raise
            _refuse(work, part, names, failed.error)
            continue
        if taken is not None:
            stored[part] = taken
    await mark_not_kept(work)
    for part in plan.missing:
        await _make_part(work, part)
    for part in plan.surplus:
        await _take_part_away(work, part)
    if plan.missing or plan.surplus:
        return None
    party = Party(stored, frozenset(stored), moved=_moved(work, stored))
    return RemoteSnapshot(party, started, "send", work.connection.time_zone, **await ahead(work))


def _moved(work: Sending, stored: Collection[Part]) -> frozenset[Part]:
    """What the site saved beside what it was sent, and after it had answered."""
    kind, moved = work.fields.type, set[Part]()
    if "main" in stored and work.saves_parts:
        moved |= {part for part in DOCTYPES if part in work.link.parts and part not in stored}
    shown = "address" in stored or ("main" in stored and work.saves_parts)
    if kind.shows_address and shown and "address" in work.link.parts:
        moved.add("main")
    return frozenset(moved)


async def _known(work: Sending, part: Part, names: list[str], *, moved: bool) -> Document:
    """The document as both sides last agreed on it: its name and time of change, and where a row of
    a child table is to be changed, the rows that are there beside it. `moved`: the site itself has
    saved it since; then it is known by its values.
    """
    link = work.link
    name = str(link.document if part == "main" else link.parts[part])
    known: Document = {"name": name, "modified": str(link.modified.get(part) or "")}
    places = [work.fields.by_name[each].place for each in names]
    if not moved and not any(place and place.table for place in places):
        return known
    return await _current(work, part, moved=moved)


async def _current(work: Sending, part: Part, *, moved: bool = False) -> Document:
    """All of the document, if it is as both sides last agreed on it."""
    doctype = doctype_of(work.fields.type, part)
    name = str(work.link.document if part == "main" else work.link.parts[part])
    try:
        async with work.record_read(f"{doctype} {name}"):
            document = await work.site.document(doctype, name)
    except FrappeError as error:
        raise WritingFailed(part, error) from None
    unchanged = document["modified"] == str(work.link.modified.get(part) or "")
    if not unchanged and not (moved and _is_as_agreed(work, part, document)):
        raise WritingFailed(part, ChangedMeanwhile("It was changed.", next_step="Read it."))
    return document


def _is_as_agreed(work: Sending, part: Part, document: Document) -> bool:
    return all(
        same(one, value_in(work.fields, one, document), work.link.base.get(one.name))
        for one in work.fields.of_part(part)
    )


async def _send(work: Sending, part: Part, document: Document, names: list[str]) -> Document | None:
    """What of these fields the site takes; the document as it answered last, None: it took none.
    Of what it refuses as a whole without naming a field, it is tried which part it takes.
    """
    values = {name: work.whole.record.values.get(name) for name in names}
    try:
        stored = await _update(
            work, part, document, changes_for(work.fields, part, values, names, document)
        )
    except WritingFailed as failed:
        if not is_about_values(failed.error):
            raise
        return await _send_the_rest(work, part, document, names, failed.error)
    await refuse_what_looks_masked(work.site, work.connection, work.fields, [stored])
    record_not_kept(work, part, values, stored)
    work.sent |= {name: value for name, value in values.items() if name not in work.not_kept}
    return stored


async def _send_the_rest(
    work: Sending, part: Part, document: Document, names: list[str], error: FrappeError
) -> Document | None:
    values = {name: work.whole.record.values.get(name) for name in names}
    refused = refused_of(error, work.fields, part, values)
    of_others = bool(getattr(error, "fields", None)) and not refused
    if len(names) == 1 or of_others or isinstance(error, NoPermission):
        _refuse(work, part, names, error)
        return None
    rest = [name for name in names if name not in refused]
    if refused:
        work.refuse(refused, failure_of(error, work.fields, part))
        groups = [rest] if rest else []
    else:
        groups = [rest[: len(rest) // 2], rest[len(rest) // 2 :]]
    stored = None
    for group in groups:
        stored = await _send(work, part, stored or document, group) or stored
    return stored


def _refuse(work: Sending, part: Part, names: Iterable[str], error: FrappeError) -> None:
    """All of them, with the site's words, at the fields that it names where it names any."""
    said = local_names(error.fields, work.fields, part) if isinstance(error, Invalid) else {}
    work.refuse(
        said | {name: said.get(name) or str(error) for name in names},
        failure_of(error, work.fields, part),
    )


async def _update(work: Sending, part: Part, document: Document, changes: Document) -> Document:
    doctype, name = doctype_of(work.fields.type, part), str(document["name"])
    based_on = str(document["modified"])
    try:
        async with work.record_attempt(
            "update", f"{doctype} {name}", {**changes, "modified": based_on}
        ) as said:
            stored: Document = await work.site.update(doctype, name, changes, based_on=based_on)
            said.answer = stored
    except FrappeError as error:
        raise WritingFailed(part, error) from None
    return stored


async def _make_part(work: Sending, part: Part) -> None:
    """The document gets the Address or Contact that it lacks, as its primary one. What is in it is
    read and merged in the next round. ChangedMeanwhile: it does not lack it any more.
    """
    kind, owner = work.fields.type, str(work.link.document)
    while work.fields.wants(part, work.sendable):
        try:
            main = await work.site.document(kind.doctype, owner)
            if main.get(link_field(kind, part)):
                raise ChangedMeanwhile("It was changed.", next_step="Read it.")
            found = await linked_or_made(work, part, owner)
            await _update(work, "main", main, {link_field(kind, part): found["name"]})
        except FrappeError as error:
            own, sendable = work.fields.of_part(part), work.sendable
            values = {
                one.name: sendable[one.name] for one in own if sendable.get(one.name) is not None
            }
            # Only of what was sent: without what is lacking it would be the same request again.
            refused = refused_of(error, work.fields, part, values)
            if not is_about_values(error):
                raise WritingFailed(part, error) from None
            if not refused:
                _refuse(work, part, values, error)
                return
            work.refuse(refused, failure_of(error, work.fields, part))
        else:
            return


async def _take_part_away(work: Sending, part: Part) -> None:
    """The document has no Address any more. The one that it had stays at the site: disabled, or
    where others have it too, without the link to this one. The document lets go of it last, so that
    a job that is done again does both again.
    """
    kind, owner = work.fields.type, str(work.link.document)
    own = {"link_doctype": kind.doctype, "link_name": owner}
    document = await _current(work, part, moved=part in work.link.moved)
    rows = document.get("links") or []
    others = [row for row in rows if any(row.get(name) != said for name, said in own.items())]
    if others and len(others) < len(rows):
        await _update(work, part, document, {"links": others})
    elif not others and not document.get("disabled"):
        await _update(work, part, document, {"disabled": 1})
    main = await work.site.document(kind.doctype, owner)
    if main.get(link_field(kind, part)) == document["name"]:
        await _update(work, "main", main, {link_field(kind, part): "", "primary_address": ""})


async def ahead(work: Sending) -> dict[str, Any]:
    policies = {work.two_way.policy, *work.two_way.field_policies.values()}
    if "newest" not in policies:
        return {}
    return {"ahead": await ahead_of_us(work.site, work.connection.time_zone)}

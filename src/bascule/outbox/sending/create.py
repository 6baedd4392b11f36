"""Documents made exactly once, though answers get lost and workers are killed: what a first try
may have made is looked for before there is a second. See `key_fields` for how it is known.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.frappe import Duplicate, FrappeError, Invalid, dropped_fields
from bascule.outbox import key_fields
from bascule.outbox.failures import NotSettled
from bascule.outbox.sending.comparison import not_kept
from bascule.outbox.sending.in_doubt import refuse_too_soon
from bascule.outbox.sending.references import sent_values
from bascule.outbox.sending.work import Done, Sending
from bascule.outbox.tables import OutboxWrite

Document = dict[str, Any]
MARGIN = timedelta(minutes=5)  # of the site's clock
OF_ITS_OWN = ("name", "creation", "modified", "docstatus")
LOOKED_AT = 200  # documents that a lost answer may have been about


async def create(work: Sending, write: OutboxWrite) -> Done:
    """The document of one write, with all that ERPNext answered."""
    field = await key_fields.key_field(work.hub, work.site, work.connection, write.doctype)
    if (found := (await earlier(work, [write])).get(write.id)) is not None:
        return await _adopted(work, write, found)
    if write.begun_at is not None and not write.sent_key_field and not write.unique_by:
        refuse_too_soon(work.hub, write.begun_at)
    values = await sent_values(work.hub, write)
    document = {**values, **({field: write.mark} if field else {})}
    intent = {"sent_key_field": field, "seen_from": await _seen_from(work, write, field)}
    was_begun = write.begun_at is not None
    try:
        async with work.request([write], "create", [document], **intent) as attempt:
            stored = await work.site.insert(write.doctype, document)
            attempt.answers[write.id] = stored
    except Duplicate:
        # By its mark it is ours; by a field of the DocType's own only if a first try may have
        # made it.
        if field or (was_begun and write.unique_by):
            write.begun_at = write.begun_at or datetime.now(UTC)
            if (found := (await earlier(work, [write])).get(write.id)) is not None:
                return await _adopted(work, write, found)
            write.begun_at = None
        raise
    if field and stored.get(field) != write.mark:
        await key_fields.forget(work.hub, work.connection, write.doctype)
    return Done(write, str(stored["name"]), stored, not_kept(values, stored))


async def create_batch(work: Sending, writes: Sequence[OutboxWrite]) -> list[Done]:
    """All of these, or none: FrappeError. All of one DocType, without tables, and none in doubt
    but those that the hub's own field tells of.
    """
    doctype = writes[0].doctype
    field = await key_fields.key_field(work.hub, work.site, work.connection, doctype)
    found = await earlier(work, writes)
    values = {write.id: await sent_values(work.hub, write) for write in writes}
    rest = [write for write in writes if write.id not in found]
    names = {number: str(document["name"]) for number, document in found.items()}
    if rest:
        documents = [
            {"doctype": doctype, **values[write.id], **({field: write.mark} if field else {})}
            for write in rest
        ]
        intent = {"sent_key_field": field, "seen_from": await _seen_from(work, rest[0], field)}
        what = f"create in a batch of {len(rest)}"
        async with work.request(rest, what, documents, **intent) as attempt:
            made = await work.site.insert_many(documents)
            new = {write.id: name for write, name in zip(rest, made, strict=True)}
            attempt.answers |= new
        names |= new
    stored = await _read(work, doctype, names.values(), values.values())
    return [_done(write, names[write.id], values[write.id], stored) for write in writes]


def _done(write: OutboxWrite, name: str, values: Document, stored: dict[str, Document]) -> Done:
    """One that cannot be read is written all the same, and was not compared."""
    document = stored.get(name)
    compared = None if document is None else not_kept(values, document)
    return Done(write, name, document, compared)


async def _read(
    work: Sending,
    doctype: str,
    names: Iterable[str],
    values: Iterable[Document],
) -> dict[str, Document]:
    """What the site stored under these names, by name; empty where it does not say."""
    wanted = list(names)
    fields = dict.fromkeys([*OF_ITS_OWN, *(name for one in values for name in one)])
    fields.pop("doctype", None)
    try:
        rows = await work.site.list(
            doctype, list(fields), filters=[["name", "in", wanted]], limit=len(wanted)
        )
    except Invalid:  # of a field that the DocType does not have, and that it dropped
        return await _read_known(work, doctype, wanted, fields)
    except FrappeError:
        return {}
    return {str(row["name"]): row for row in rows}


async def _read_known(
    work: Sending, doctype: str, names: list[str], fields: Iterable[str]
) -> dict[str, Document]:
    try:
        known = {one.name for one in (await work.site.meta(doctype)).fields if one.has_column}
        wanted = [name for name in fields if name in known or name in OF_ITS_OWN]
        rows = await work.site.list(
            doctype, wanted, filters=[["name", "in", names]], limit=len(names)
        )
    except FrappeError:
        return {}
    return {str(row["name"]): row for row in rows}


async def earlier(work: Sending, writes: Sequence[OutboxWrite]) -> dict[int, Document]:
    """What earlier tries of these made, by the write's number."""
    doubtful = [write for write in writes if write.begun_at is not None]
    found: dict[int, Document] = {}
    marked = [write for write in doubtful if write.sent_key_field]
    if marked:
        field = str(marked[0].sent_key_field)
        by_mark = {write.mark: write.id for write in marked}
        try:
            rows = await _listed(work, marked[0].doctype, [[field, "in", list(by_mark)]], [field])
        except Invalid:  # somebody removed the field, and what it said with it
            await key_fields.forget(work.hub, work.connection, marked[0].doctype)
            for write in marked:
                write.sent_key_field = None
        else:
            found |= {by_mark[str(row[field])]: row for row in rows}
    for write in doubtful:
        if not write.sent_key_field and write.id not in found:
            document = await _by_what_was_sent(work, write)
            if document is not None:
                found[write.id] = document
    return found


async def _by_what_was_sent(work: Sending, write: OutboxWrite) -> Document | None:
    """The oldest that is as it was sent, and that no other write of ours has made."""
    values = await sent_values(work.hub, write)
    if write.unique_by:
        names = [write.unique_by]
    else:
        names = write.found_by or [
            name for name, value in values.items() if not isinstance(value, list | dict)
        ]
    told = {name: values.get(name) for name in names if values.get(name) not in (None, "")}
    since = write.seen_from
    if since is None:  # nobody read the site's clock then; near enough, it was this
        begun = write.begun_at or write.created_at
        clock = await work.site.clock()
        since = (clock - (datetime.now(UTC) - begun) - MARGIN).isoformat(" ")
    filters: list[Any] = [["creation", ">=", since]]
    filters.append(["owner", "=", work.connection.site_user or await work.site.logged_user()])
    filters += [[name, "=", value] for name, value in told.items() if isinstance(value, str)]
    rows = await _listed(work, write.doctype, filters, list(told))
    if len(rows) >= LOOKED_AT:
        raise NotSettled(
            f"Too many documents of {write.doctype} are like the one that may have been made.",
            next_step="Say by which fields it is known (found_by), or give it up.",
            left=3600.0,
        )
    same = [row for row in rows if not dropped_fields(told, row)]
    async with work.hub.db.session() as session:
        taken = await _taken(session, work, write, [str(row["name"]) for row in same])
    return next((row for row in same if str(row["name"]) not in taken), None)


async def _taken(
    session: AsyncSession, work: Sending, write: OutboxWrite, names: list[str]
) -> set[str]:
    """Of these those that another create of ours made since this one was put."""
    query = select(OutboxWrite.name).where(
        OutboxWrite.connection_id == work.connection.id,
        OutboxWrite.doctype == write.doctype,
        OutboxWrite.operation == "create",
        OutboxWrite.id != write.id,
        OutboxWrite.name.in_(names),
    )
    return {str(name) for name in await session.scalars(query)}


async def adopt_alone(session: AsyncSession, write: OutboxWrite, name: str) -> bool:
    """Whether the document is nobody else's, of those that are told by what was sent: one after
    another, as two that are alike may find the same.
    """
    lock = f"outbox adopts:{write.connection_id}:{write.doctype}"
    await session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:lock, 0))"), {"lock": lock}
    )
    query = select(OutboxWrite.id).where(
        OutboxWrite.connection_id == write.connection_id,
        OutboxWrite.doctype == write.doctype,
        OutboxWrite.operation == "create",
        OutboxWrite.id != write.id,
        OutboxWrite.name == name,
        OutboxWrite.written_at >= write.created_at,
    )
    return (await session.scalar(query.limit(1))) is None


async def _adopted(work: Sending, write: OutboxWrite, found: Document) -> Done:
    name = str(found["name"])
    stored = await work.site.document(write.doctype, name)
    return Done(write, name, stored, not_kept(await sent_values(work.hub, write), stored))


async def _listed(
    work: Sending, doctype: str, filters: list[Any], fields: Sequence[str]
) -> list[Document]:
    wanted = list(dict.fromkeys([*OF_ITS_OWN, *fields]))
    return await work.site.list(
        doctype, wanted, filters=filters, order_by="creation asc", limit=LOOKED_AT
    )


async def _seen_from(work: Sending, write: OutboxWrite, field: str | None) -> str | None:
    if field or write.unique_by or write.seen_from:
        return write.seen_from
    return (await work.site.clock() - MARGIN).isoformat(" ")

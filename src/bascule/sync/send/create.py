"""A document made exactly once, though answers get lost and jobs are killed and done again.

Before anything is sent it is written down that it will be. Whoever finds that written down looks
for what the first try made: by the hub's own unique field where the site has it, else by name,
owner and time. The unique field also lets the site refuse a second one that overtook the look.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.frappe import Duplicate, FrappeError, Invalid
from bascule.outbox.sending.in_doubt import certainly_not_done, is_left, refuse_too_soon
from bascule.sync.fields import PARTS, Part
from bascule.sync.history import add_change
from bascule.sync.queries import find
from bascule.sync.receive import renames
from bascule.sync.receive.apply_remote import is_fresh
from bascule.sync.receive.party import Document, changes_for
from bascule.sync.records import tell
from bascule.sync.send.failures import failure_of, refused_of
from bascule.sync.send.insert import insert
from bascule.sync.send.part_names import is_named_by_the_site
from bascule.sync.send.work import Sending
from bascule.sync.tables import Link, TwoWay

MARGIN = timedelta(minutes=5)  # of the site's clock


async def create_there(work: Sending) -> bool:
    """The link has a document afterwards. Whether nobody but us has touched that yet."""
    earlier = work.link.create_begun_at
    if earlier is not None:
        if (found := await _adopt_earlier(work)) is not None:
            return is_fresh(found)
        if not work.two_way.owned_field:
            refuse_too_soon(work.hub, earlier)
    elif work.link.creation is not None and await _is_there_yet(work):
        return False
    await _write_down(work)
    try:
        stored, sent = await _insert(work)
    except FrappeError as error:
        refused_second = isinstance(error, Duplicate) and work.two_way.owned_field
        if refused_second and (found := await _adopt_earlier(work)) is not None:
            return is_fresh(found)
        if certainly_not_done(error):
            # Of the try before this one that is not known.
            await _strike_out(work, earlier if is_left(work.hub, earlier) > 0 else None)
        raise
    await _adopt(work, stored)
    if work.two_way.owned_field and stored.get(work.two_way.owned_field) != work.whole.record.key:
        await _own_field_is_gone(work)
    work.sent = sent
    return True


async def _insert(work: Sending) -> tuple[Document, dict[str, Any]]:
    """What the site made, and the record's fields in it. A value that it refuses holds up none of
    the others, but for what the record is called by.
    """
    doctype = work.fields.type.doctype
    while True:
        document, sent = _document(work)
        try:
            about = f"{doctype} {work.whole.record.title}"
            numbered = work.fields.type.numbers_doubles
            stored = await insert(work, doctype, about, document, numbered=numbered)
        except Duplicate:
            raise
        except Invalid as error:
            refused = _refused(work, error, sent)
            if not refused:
                raise
            work.refuse(refused, failure_of(error, work.fields))
        else:
            return stored, sent


def _refused(work: Sending, error: Invalid, sent: dict[str, Any]) -> dict[str, str]:
    refused: dict[str, str] = {}
    for part in PARTS:
        own = {one.name for one in work.fields.of_part(part) if not one.required}
        values = {name: value for name, value in sent.items() if name in own}
        refused |= refused_of(error, work.fields, part, values)
    return refused


async def _is_there_yet(work: Sending) -> bool:
    """One that is to be made again, since it was deleted. It may only be called otherwise."""
    name = await renames.find_renamed(work.site, work.whole)
    found = await _not_taken(work, await _listed(work, [["name", "=", name]])) if name else None
    if found is not None:
        await _adopt(work, found)
    return found is not None


async def was_made(work: Sending) -> bool:
    """Whether an earlier try made the document, which is the link's then. NotSettled: it may still
    be under way. Afterwards it is known that there is none.
    """
    if work.link.create_begun_at is None:
        return False
    if await _adopt_earlier(work) is not None:
        return True
    refuse_too_soon(work.hub, work.link.create_begun_at)
    await _strike_out(work, None)
    return False


async def _own_field_is_gone(work: Sending) -> None:
    """Somebody removed it there: from now on creates are looked for by name, owner and time."""
    async with work.hub.db.session() as session:
        two_way = await session.get(TwoWay, work.two_way.id, with_for_update=True)
        if two_way is not None:
            two_way.owned_field = None
    work.two_way.owned_field = None


def _document(work: Sending) -> tuple[Document, dict[str, Any]]:
    """What is sent, and the record's fields in it. Address, e-mail address and mobile number go
    with it: the site makes an Address and a Contact of them in the same transaction.
    """
    fields, values = work.fields, work.sendable
    document: Document = {}
    names: list[str] = []
    for part in _embedded(work):
        own = [
            one.name
            for one in fields.of_part(part)
            if one.is_sent and values.get(one.name) is not None and _can_be_embedded(one.place)
        ]
        changes = changes_for(fields, part, values, own, None)
        if any(document.get(name, value) != value for name, value in changes.items()):
            continue  # a field of the document itself is called so too: it is made afterwards
        for rows in [changes.pop(table, None) for table in ("email_ids", "phone_nos")]:
            for row in rows or []:
                document |= {"email_id": row["email_id"]} if "email_id" in row else {}
                document |= {"mobile_no": row["phone"]} if "phone" in row else {}
        document |= changes
        names += own
    if work.two_way.owned_field:
        document[work.two_way.owned_field] = work.whole.record.key
    return document, {name: values[name] for name in names}


def _embedded(work: Sending) -> list[Part]:
    """An Address or a Contact that ERPNext could give no name is made afterwards: see `parts`."""
    wanted: list[Part] = ["main"]
    if work.fields.wants("address", work.sendable):
        wanted.append("address")
    wanted.append("contact")
    title = work.whole.record.title
    return [one for one in wanted if one == "main" or is_named_by_the_site(one, title)]


def _can_be_embedded(place: Any) -> bool:
    if place.part == "contact":
        return place.table in ("email_ids", "phone_nos")
    if place.part == "address":
        return place.field in ("address_line1", "address_line2", "city", "state", "pincode",
                               "country")  # fmt: skip
    return True


async def _adopt_earlier(work: Sending) -> Document | None:
    """What an earlier try of this record's create made; it is the link's document then."""
    found = await _look_for_it(work)
    if found is not None:
        await _adopt(work, found)
    return found


async def _look_for_it(work: Sending) -> Document | None:
    own = work.two_way.owned_field
    try:
        by_key = [[own, "=", work.whole.record.key]]
        found = await _listed(work, by_key if own else await _by_name(work))
    except Invalid:
        if not own:
            raise
        await _own_field_is_gone(work)
        found = await _listed(work, await _by_name(work))
    return await _not_taken(work, found)


async def _not_taken(work: Sending, found: list[Document]) -> Document | None:
    """The first that no other record is linked to."""
    link = work.link
    async with work.hub.db.session() as session:
        taken = set(
            await session.scalars(
                select(Link.document).where(
                    Link.two_way_id == link.two_way_id,
                    Link.record_id != link.record_id,
                    Link.document.in_([str(row["name"]) for row in found]),
                )
            )
        )
    return next((row for row in found if str(row["name"]) not in taken), None)


async def _by_name(work: Sending) -> list[Any]:
    fields, link = work.fields, work.link
    title_field = fields.by_name[fields.type.title].place
    assert title_field is not None  # noqa: S101 - a title has a place
    begun = link.create_begun_at or datetime.now(UTC)
    since = link.create_seen_from
    if since is None:  # nobody read the site's clock then; near enough, it was this
        clock = await work.site.clock()
        since = (clock - (datetime.now(UTC) - begun) - MARGIN).isoformat(" ")
    return [
        [title_field.field, "=", link.create_title],
        ["owner", "=", work.connection.site_user or await work.site.logged_user()],
        ["creation", ">=", since],
    ]


async def _listed(work: Sending, filters: list[Any]) -> list[Document]:
    doctype = work.fields.type.doctype
    async with work.record_attempt("find", doctype, {"filters": filters}) as said:
        found = await work.site.list(
            doctype,
            ("name", "creation", "modified", "modified_by", "owner"),
            filters=filters,
            order_by="creation asc",
            limit=20,
        )
        said.answer = found
    return found


async def _write_down(work: Sending) -> None:
    from_clock = None
    if not work.two_way.owned_field:
        from_clock = (await work.site.clock() - MARGIN).isoformat(" ")
    async with work.recording() as (_, whole):
        assert whole.link is not None  # noqa: S101
        whole.link.create_begun_at = datetime.now(UTC)
        whole.link.create_title = whole.record.title
        whole.link.create_seen_from = whole.link.create_seen_from or from_clock


async def _strike_out(work: Sending, earlier: datetime | None) -> None:
    """The last try made nothing. `earlier`: when one was begun that may have."""
    async with work.recording() as (_, whole):
        if whole.link is not None:
            whole.link.create_begun_at = earlier
            if earlier is None:
                whole.link.create_seen_from = None


async def free_name(session: AsyncSession, link: Link, name: str) -> None:
    """A document of this name is this link's. The one that another record had under it is gone, or
    was renamed, and is known again by its key when it is seen; the record keeps its history.
    """
    query = select(Link.record_id).where(
        Link.two_way_id == link.two_way_id,
        Link.record_id != link.record_id,
        Link.document == name,
    )
    for number in (await session.scalars(query)).all():
        other = await find(session, None, number, None, lock=True)
        assert other.link is not None  # noqa: S101
        await renames.mark_deleted(session, other)
        other.link.document = None
        await session.flush()


async def _adopt(work: Sending, stored: Document) -> None:
    """The document is this record's from now on."""
    name = str(stored["name"])
    try:
        async with work.recording() as (session, whole):
            assert whole.link is not None  # noqa: S101
            await free_name(session, whole.link, name)
            whole.link.document = name
            whole.link.creation = str(stored.get("creation") or "") or None
            whole.link.create_begun_at = whole.link.create_seen_from = None
            note = f"{work.fields.type.doctype} {name} was made."
            await add_change(session, whole.record, "created", {}, note=note)
            await tell(session, whole.record, "state")
    except IntegrityError:
        raise Invalid(
            f"{name} was made, and belongs to another record here already.",
            next_step="Look at both, and delete one of them.",
        ) from None

"""Documents that are not where they were: renamed, merged into another, deleted; and followed."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from html import unescape
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.frappe import FrappeError, Site
from bascule.sync.history import add_change
from bascule.sync.queries import LinkedRecord
from bascule.sync.receive.apply_remote import SITE, clear_failure, refresh_state
from bascule.sync.records import set_values, tell
from bascule.sync.send.failures import SendFailure
from bascule.sync.tables import Link, Outbox

_MARKUP = re.compile("[&<>]")
_BOLD = re.compile(r">([^<]*)</")
GONE = SendFailure(
    "deleted_there",
    "It was deleted in ERPNext while an edit of it was waiting here.",
    "Create it there again, or give the edit up and leave it inactive.",
)
CHANGED_SINCE = SendFailure(
    "changed_there",
    "It is not deleted there: somebody changed it after it was deleted here.",
    "Look at what changed; then delete it there all the same, or restore it.",
)


LOST = SendFailure(
    "lost_there",
    "ERPNext has it no more, and tells of no deletion: the site was restored from an older state, "
    "or it was deleted past ERPNext.",
    "Make it there again, or take it that it is gone.",
)


async def find_renamed(site: Site, whole: LinkedRecord) -> str | None:
    """The new name of a document that was renamed: the one with the record's key, else the one
    that was created at the same microsecond. None: there is none.
    """
    link, two_way = whole.link, whole.two_way
    assert link is not None and two_way is not None  # noqa: S101 - it had a document
    asked: list[list[Any]] = []
    if two_way.owned_field:
        asked.append([[two_way.owned_field, "=", whole.record.key]])
    if link.creation:
        asked.append([["creation", "=", link.creation]])
    for filters in asked:
        found = await site.list(whole.fields.type.doctype, ("name",), filters=filters, limit=2)
        if len(found) == 1:
            return str(found[0]["name"])
    return None


def is_another(link: Link, document: Mapping[str, Any]) -> bool:
    """Whether this one was made at another time than the link's, though it has its name: the name
    was free since a rename or a deletion. `find_renamed` tells which of the two.
    """
    born = str(document.get("creation") or "")
    return bool(link.creation and born and born != link.creation)


def is_as_it_was(link: Link | None, before: Link) -> bool:
    """Whether a link is to the same document still. While the site was asked about that one,
    another look may have followed it, or a person had it made anew, perhaps by the same name.
    """
    if link is None:
        return False
    return (link.document, link.creation) == (before.document, before.creation)


async def merged_into(site: Site, whole: LinkedRecord) -> str | None:
    """The document that a record's was merged into, as ERPNext notes it in a comment there, in the
    language of who did it; None where it was not, or where the user may not read comments.
    """
    assert whole.link is not None  # noqa: S101 - it had a document
    old = str(whole.link.document)
    word = old.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
    filters: list[list[Any]] = [
        ["reference_doctype", "=", whole.fields.type.doctype],
        ["comment_type", "=", "Edit"],
        ["content", "like", f"%>{_MARKUP.sub('%', word)}<%"],  # a comment is HTML
    ]
    if whole.link.creation:  # what happened to others of that name is older
        filters.append(["creation", ">=", whole.link.creation])
    fields = ("reference_name", "content")
    try:
        found = await site.list(
            "Comment", fields, filters=filters, order_by="creation desc", limit=5
        )
    except FrappeError:
        return None
    for row in found:
        names = [unescape(name) for name in _BOLD.findall(str(row["content"]))]
        if old in names and row["reference_name"] != old:
            return str(row["reference_name"])
    return None


async def is_free(session: AsyncSession, whole: LinkedRecord, name: str) -> bool:
    """Whether no other record is linked to the document of this name. (Two who look at the same
    time, one before a rename and one after it, may each have made a record of it.)
    """
    assert whole.link is not None  # noqa: S101
    query = select(Link.record_id).where(
        Link.two_way_id == whole.link.two_way_id,
        Link.document == name,
        Link.record_id != whole.record.id,
    )
    return await session.scalar(query) is None


async def follow_rename(
    session: AsyncSession, whole: LinkedRecord, new: str | None, *, into: str | None = None
) -> bool:
    """To the document's new name, see `find_renamed`; else, and where another record is linked to
    that already, it is gone. Whether it is there.
    """
    if new is not None and await is_free(session, whole, new):
        await renamed(session, whole, new)
        return True
    await mark_deleted(session, whole, into=new or into)
    return False


async def renamed(session: AsyncSession, whole: LinkedRecord, name: str) -> None:
    link = whole.link
    assert link is not None  # noqa: S101
    note = f"{link.document} is called {name} in ERPNext now."
    link.document = name
    await is_back(session, link)
    await add_change(session, whole.record, "renamed", {}, by=SITE, note=note)
    await tell(session, whole.record, "state")


async def is_back(session: AsyncSession, link: Link) -> None:
    """It is there after all: what was said of its being gone is over, and an edit that waited for
    somebody because of that goes on.
    """
    if link.gone_at is not None:
        link.gone_at = None
        clear_failure(link)
        await refresh_state(session, link)


async def mark_missing(session: AsyncSession, whole: LinkedRecord) -> None:
    """It is not there, and nobody is known to have deleted it: that is a person's to decide about,
    and nothing of the record changes before.
    """
    link = whole.link
    assert link is not None  # noqa: S101
    if link.gone_at is not None:
        return
    if whole.record.deleted_at is not None:  # it was to go anyway
        await mark_deleted(session, whole)
        return
    link.gone_at = datetime.now(UTC)
    clear_failure(link)
    link.state, link.remedy, link.why, link.next_step = (
        "attention",
        LOST.remedy,
        LOST.why,
        LOST.next_step,
    )
    await add_change(session, whole.record, "mark_missing", {}, by=SITE, note=LOST.why)
    await tell(session, whole.record, "state")


async def mark_deleted(
    session: AsyncSession, whole: LinkedRecord, *, into: str | None = None
) -> None:
    """Deleted there: inactive here. An edit that was on its way is a person's to decide about."""
    record, link = whole.record, whole.link
    assert link is not None  # noqa: S101
    if link.gone_at is not None:
        return
    link.gone_at = datetime.now(UTC)
    before = record.values.get("active")
    after = {**record.values, "active": False}
    link.base = {**link.base, "active": False}
    set_values(record, whole.fields, after, by=SITE)
    note = f"It is {into} in ERPNext now." if into else "Deleted in ERPNext."
    changes = {"active": (before, False)} if before else {}
    await add_change(session, record, "merged" if into else "gone", changes, by=SITE, note=note)
    waiting = await session.scalar(
        select(func.count()).select_from(Outbox).where(Outbox.record_id == record.id)
    )
    if record.deleted_at is not None:
        await session.execute(delete(Outbox).where(Outbox.record_id == record.id))
        waiting = 0
    clear_failure(link)
    if waiting:
        link.state, link.remedy = "attention", GONE.remedy
        link.why, link.next_step = GONE.why, GONE.next_step
    else:
        link.why = note if into else None
        await refresh_state(session, link)
    await tell(session, record, "changed")

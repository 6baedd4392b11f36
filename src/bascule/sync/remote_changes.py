"""What a site has otherwise than it was agreed on: by name and time of change since the last look,
by value in a look at the whole.

Not everything moves a document's time of change: a group that is renamed, a Contact's new name,
what an app writes past it. So once a day, and when somebody asks for all of it, the values of all
documents are compared with what was agreed on, and only those that differ are taken in.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select

from bascule.frappe import NoPermission, NotFound
from bascule.frappe.site_clock import ClockReading, changed_since
from bascule.sync.receive.import_remote import ImportContext, import_remote, links_to, not_there
from bascule.sync.receive.party import AT_ONCE, DOCTYPES, link_field
from bascule.sync.receive.withheld import given_back
from bascule.sync.tables import Link

SWEPT_EVERY = timedelta(hours=24)


async def look(work: ImportContext, *, whole: bool) -> dict[str, Any]:
    """Takes in what differs; `whole`: of all there is. The cursor to go on from."""
    known = dict(work.two_way.cursor)
    began = datetime.now(UTC)
    site_clock = await work.site.clock()
    swept = known.get("swept_at")
    whole = whole or swept is None or datetime.fromisoformat(swept) < began - SWEPT_EVERY
    since = None
    if not whole:
        reading = ClockReading.load(known.get("reading"))
        since = changed_since(reading, site_clock, began, known.get("newest"))
    names, newest = await _all_changed(work, since)
    if since is not None and (newest or "") < (known.get("newest") or ""):
        # The latest change that was seen is not there any more. It was deleted, or the site is
        # in an older state, of which the times of change tell nothing.
        since = None
        names, newest = await _all_changed(work, None)
    names += await given_back(work, all_of_them=since is None)
    later = await import_remote(work, list(dict.fromkeys([*(known.get("later") or []), *names])))
    if since is None:
        await _sweep(work, always=True)
        swept = began.isoformat()
    elif not await _take_deletions(work, since):
        await _sweep(work, always=False)
    return {
        "reading": ClockReading(site_clock, began).dump(),
        "newest": newest,
        "swept_at": swept,
        "later": later,
    }


async def _all_changed(work: ImportContext, since: datetime | None) -> tuple[list[str], str | None]:
    names: list[str] = []
    newest: str | None = None
    work.summary.looked_at = work.summary.unchanged = 0
    for doctype in (work.doctype, *DOCTYPES.values()):
        changed, last = await _changed(work, doctype, since)
        names += changed
        newest = max(filter(None, (newest, last)), default=None)
    return names, newest


async def _changed(
    work: ImportContext, doctype: str, since: datetime | None
) -> tuple[list[str], str | None]:
    """Names of the main documents that may not be here as they are there; the newest time of
    change. `since` None: all of them.
    """
    names: list[str] = []
    newest: str | None = None
    filters = [["modified", ">=", since.isoformat(" ")]] if since else []
    try:
        if since is None and doctype != work.doctype:
            return [], await _newest(work, doctype)  # each is looked at with its document
        async for page in work.site.pages(
            doctype, ("name", "modified"), filters=filters, key="modified"
        ):
            rows = [(str(name), str(modified)) for name, modified in page.rows()]
            found = await _unknown(work, doctype, rows) if since else [name for name, _ in rows]
            names += found
            if doctype == work.doctype:
                work.summary.looked_at += len(rows)
                work.summary.unchanged += len(rows) - len(found)
            newest = rows[-1][1] if rows else newest
    except NoPermission:
        if doctype == work.doctype:
            raise  # without Addresses or Contacts, the rest is still worth it
    return names, newest


async def _newest(work: ImportContext, doctype: str) -> str | None:
    rows = await work.site.list(doctype, ("modified",), order_by="modified desc", limit=1)
    return str(rows[0]["modified"]) if rows else None


async def _unknown(work: ImportContext, doctype: str, rows: list[tuple[str, str]]) -> list[str]:
    part = next((p for p, name in DOCTYPES.items() if name == doctype), "main")
    times = dict(rows)
    async with work.hub.db.session() as session:
        query = select(Link.document, Link.modified[part].astext, Link.parts[part].astext).where(
            Link.two_way_id == work.two_way.id, Link.document.is_not(None)
        )
        if part == "main":
            known = {
                row[0]: row[1]
                for row in await session.execute(query.where(Link.document.in_(list(times))))
            }
            return [name for name, modified in rows if known.get(name) != modified]
        of_these = query.where(Link.parts[part].astext.in_(list(times)))
        found = (await session.execute(of_these)).all()
    others = times.keys() - {name for _, _, name in found}
    changed = [document for document, at, name in found if times.get(name) != at]
    return [*changed, *await that_have(work, doctype, sorted(others))]


async def that_have(work: ImportContext, doctype: str, names: Sequence[str]) -> list[str]:
    """The documents whose primary Address or Contact is called so now, though no record knows it by
    this name: it was renamed, or has become their primary one.
    """
    part = next(p for p, name in DOCTYPES.items() if name == doctype)
    found: list[str] = []
    for start in range(0, len(names), AT_ONCE):
        some = list(names[start : start + AT_ONCE])
        rows = await work.site.list(
            work.doctype,
            ("name",),
            filters=[[link_field(work.fields.type, part), "in", some]],
            limit=0,
        )
        found += [str(row["name"]) for row in rows]
    return found


async def _take_deletions(work: ImportContext, since: datetime) -> bool:
    """False: the user may not read what was deleted."""
    try:
        rows = await work.site.list(
            "Deleted Document",
            ("deleted_name",),
            filters=[
                ["deleted_doctype", "=", work.doctype],
                ["creation", ">=", since.isoformat(" ")],
            ],
            order_by="creation asc",
            limit=0,
        )
    except (NoPermission, NotFound):
        return False
    names = {str(row["deleted_name"]) for row in rows}
    known = await links_to(work, names)
    if known:
        await import_remote(work, list(known))  # one that was made anew is there after all
    return True


async def _sweep(work: ImportContext, *, always: bool) -> None:
    """Compares all names, where counts say that some are gone, or it is time to."""
    query = select(Link.document, Link.record_id).where(
        Link.two_way_id == work.two_way.id, Link.document.is_not(None), Link.gone_at.is_(None)
    )
    async with work.hub.db.session() as session:
        here = {str(name) for name, _ in await session.execute(query)}
    if not always and await work.site.count(work.doctype) == len(here):
        return
    missing = set(here)
    new: list[str] = []
    async for page in work.site.pages(work.doctype, ("name",)):
        for (name,) in page.rows():
            if str(name) in here:
                missing.discard(str(name))
            else:
                new.append(str(name))
    await not_there(work, sorted(missing))
    if new:
        await import_remote(work, new)

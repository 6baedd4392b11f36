"""Addresses and Contacts that a document has and the hub's user may not read: what is said of them.

Their fields are unread, which is not empty. Nothing of them is sent, and no other one is made.
"""

from collections.abc import Sequence

from sqlalchemy import select

from bascule.frappe import FrappeError, NoPermission, Site
from bascule.sync.fields import Part
from bascule.sync.mapping import Mapped
from bascule.sync.receive.import_remote import ImportContext
from bascule.sync.receive.party import AT_ONCE, DOCTYPES
from bascule.sync.send.failures import SendFailure
from bascule.sync.send.work import Sending
from bascule.sync.tables import Link


def unread(fields: Mapped, link: Link) -> dict[str, str]:
    """Field -> why nobody knows what the site has in it. What it is here may be old, or nothing."""
    return {
        one.name: f"It is in the {doctype} {name}, which the hub's user may not read."
        for part, doctype in DOCTYPES.items()
        if (name := link.withheld.get(part)) is not None
        for one in fields.of_part(part)
    }


async def trouble_of_kept_back(work: Sending) -> SendFailure | None:
    """Edits of fields that are unread; None where there are none."""
    words = unread(work.fields, work.link)
    names = [name for part in work.kept_back for name in work.kept_back[part] if name in words]
    if not names:
        return None
    parts = [part for part in work.kept_back if part in work.link.withheld]
    documents = " and ".join(f"the {DOCTYPES[part]} {work.link.withheld[part]}" for part in parts)
    labels = ", ".join(work.fields.by_name[name].label for name in names)
    return SendFailure(
        "permission",
        f"{work.fields.type.doctype} {work.link.document} has {documents}, which the hub's user "
        f"may not read, so this is not sent: {labels}.",
        await _step(work, parts),
        wrong={name: words[name] for name in names},
    )


async def _step(work: Sending, parts: Sequence[Part]) -> str:
    """With the roles that would help, where the site says what they are."""
    told = []
    for part in parts:
        try:
            roles = (await work.site.meta(DOCTYPES[part])).roles_that_may("read")
        except FrappeError:
            roles = ()
        told += [f"{DOCTYPES[part]}: {', '.join(roles)}"] if roles else []
    if not told:
        return "Give the hub's user a role in ERPNext that may read it, then retry."
    return f"Give the hub's user one of these roles in ERPNext, then retry. {'; '.join(told)}."


async def given_back(work: ImportContext, *, all_of_them: bool) -> list[str]:
    """Documents whose Address or Contact was not given and is now: a right does not move the time
    of change. A few are tried each time, and the rest where these are given, or all are asked for.
    """
    found: list[str] = []
    for part, doctype in DOCTYPES.items():
        async with work.hub.db.session() as session:
            named = Link.withheld[part].astext
            query = select(named, Link.document).where(
                Link.two_way_id == work.two_way.id, named.is_not(None), Link.gone_at.is_(None)
            )
            wanted = [(str(name), str(of)) for name, of in await session.execute(query)]
        for start in range(0, len(wanted), AT_ONCE):
            some = wanted[start : start + AT_ONCE]
            given = await _given(work.site, doctype, {name for name, _ in some})
            found += [of for name, of in some if name in given]
            if not given and not all_of_them:
                break
    return found


async def _given(site: Site, doctype: str, names: set[str]) -> set[str]:
    filters = [["name", "in", sorted(names)]]
    try:
        rows = await site.list(doctype, ("name",), filters=filters, limit=0)
    except NoPermission:
        return set()
    return {str(row["name"]) for row in rows}

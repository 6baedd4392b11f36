"""The Address or Contact that a document lacks, made once though answers get lost and jobs killed.

No site has a field of the hub's own in these. So it is written down that one is about to be made,
and who finds that written down, and none that is linked to the document, waits until the first try
is over before making another.
"""

from datetime import UTC, datetime

from bascule.frappe import FrappeError
from bascule.twoway.fields import Part
from bascule.twoway.party import DOCTYPES, Document, changes_for, find_part
from bascule.twoway.settling import certainly_not_done, refuse_too_soon
from bascule.twoway.work import Sending


async def linked_or_made(work: Sending, part: Part, owner: str) -> Document:
    """One that is linked to the document already, though it is not its primary one, else a new one.
    NotSettled: a try before this one may still make it.
    """
    found = await find_part(work.site, work.fields.type, part, owner)
    if found is None:
        refuse_too_soon(work.hub, _begun(work, part))
        found = await _make(work, part, owner)
    return found


async def _make(work: Sending, part: Part, owner: str) -> Document:
    document = _document(work, part, owner)
    await _write_down(work, part, datetime.now(UTC))
    try:
        async with work.said("create", f"{DOCTYPES[part]} of {owner}", document) as said:
            stored: Document = await work.site.insert(DOCTYPES[part], document)
            said.answer = stored
    except FrappeError as error:
        if certainly_not_done(error):
            await _write_down(work, part, None)
        raise
    return stored


def _document(work: Sending, part: Part, owner: str) -> Document:
    kind, values = work.fields.type, work.sendable
    named = [one.name for one in work.fields.of_part(part) if values.get(one.name) is not None]
    document = changes_for(work.fields, part, values, named, None)
    document["links"] = [{"link_doctype": kind.doctype, "link_name": owner}]
    if part == "address":
        document |= {"address_title": work.whole.record.title, "address_type": "Billing"}
        document["is_primary_address"] = 1
    else:
        document["is_primary_contact"] = 1
        if not document.get("first_name") and not document.get("company_name"):
            document["company_name"] = work.whole.record.title
    return document


def _begun(work: Sending, part: Part) -> datetime | None:
    """When a try was begun that nobody knows the fate of."""
    begun = work.link.parts_begun.get(part)
    return datetime.fromisoformat(begun) if begun else None


async def _write_down(work: Sending, part: Part, begun: datetime | None) -> None:
    """None: it was refused. One that was made is struck out when it is taken in."""
    async with work.recording() as (_, whole):
        if whole.link is not None:
            others = {name: at for name, at in whole.link.parts_begun.items() if name != part}
            whole.link.parts_begun = others | ({part: begun.isoformat()} if begun else {})

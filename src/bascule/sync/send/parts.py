"""The Address or Contact that a document lacks, made once though answers get lost and jobs killed,
and under a name that fits: see `part_names`.

No site has a field of the hub's own in these. So it is written down that one is about to be made,
and who finds that written down, and none that is linked to the document, waits until the first try
is over before making another.
"""

from datetime import UTC, datetime
from typing import Any

from bascule.frappe import FrappeError
from bascule.outbox.sending.in_doubt import certainly_not_done, refuse_too_soon
from bascule.sync.fields import Part, same
from bascule.sync.receive.party import DOCTYPES, Document, changes_for, find_part, value_in
from bascule.sync.send.insert import insert
from bascule.sync.send.part_names import fitting, lacking
from bascule.sync.send.work import Sending


async def linked_or_made(work: Sending, part: Part, owner: str) -> Document:
    """One that is linked to the document already, though it is not its primary one, else a new one.
    NotSettled: a try before this one may still make it.
    """
    found = await find_part(work.site, work.fields.type, part, owner)
    meant = None
    if found is None:
        refuse_too_soon(work.hub, _begun(work, part))
        meant = _document(work, part, owner)
        found = await _make(work, part, owner, meant)
    await _complete(work, part, found, lacking(found, meant))
    return found


async def _complete(work: Sending, part: Part, found: Document, rest: Document) -> None:
    if not rest:
        return
    doctype, name = DOCTYPES[part], str(found["name"])
    async with work.record_attempt("update", f"{doctype} {name}", rest) as said:
        based_on = str(found["modified"])
        said.answer = await work.site.update(doctype, name, rest, based_on=based_on)


async def _make(work: Sending, part: Part, owner: str, meant: Document) -> Document:
    document = fitting(part, meant)
    await _write_down(work, part, datetime.now(UTC))
    try:
        doctype = DOCTYPES[part]
        stored = await insert(work, doctype, f"{doctype} of {owner}", document, numbered=True)
    except FrappeError as error:
        if certainly_not_done(error):
            await _write_down(work, part, None)
        raise
    work.sent |= _cut(work, part, document)
    return stored


def _cut(work: Sending, part: Part, document: Document) -> dict[str, Any]:
    """Fields that were sent in part: nobody's edit there, and so no conflict."""
    values = work.sendable
    sent = {
        one.name: value_in(work.fields, one, document)
        for one in work.fields.of_part(part)
        if values.get(one.name) is not None
    }
    by_name = work.fields.by_name
    return {name: sent[name] for name in sent if not same(by_name[name], sent[name], values[name])}


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

"""Changes of documents that are there. Each reads first, so that one that was carried out, though
its answer was lost, is found to be done; and each is refused by the site where somebody saved the
document meanwhile.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from bascule.frappe import ChangedMeanwhile, FrappeError, NotFound, dropped_fields
from bascule.outbox.failures import Gone, UnknownFate
from bascule.outbox.sending.comparison import not_kept
from bascule.outbox.sending.references import document_name, sent_values
from bascule.outbox.sending.work import Done, Sending
from bascule.outbox.tables import OutboxWrite

Document = dict[str, Any]
ROUNDS = 5  # of reading and writing, where others save the same document meanwhile
DRAFT, SUBMITTED, CANCELLED = 0, 1, 2


async def update(work: Sending, write: OutboxWrite) -> Done:
    """Of what is to be other than it is. Without `based_on` it is based on what is read now."""
    name, values = await document_name(work.hub, write), await sent_values(work.hub, write)
    for left in reversed(range(ROUNDS)):
        there = await _read(work, write, name)
        if not (differ := dropped_fields(values, there)):
            return Done(write, name, there, {})
        modified = str(there["modified"])
        if write.based_on is not None and write.based_on != modified:
            raise _changed(write, name)
        # A doubtful request was based on what was there then, so what was there before it stays.
        before = write.before or {field: there.get(field) for field in values}
        del differ
        try:
            async with work.request(
                [write], "update", [{**values, "modified": modified}], before=before, name=name
            ) as attempt:
                stored = await work.site.update(write.doctype, name, values, based_on=modified)
                attempt.answers[write.id] = stored
        except ChangedMeanwhile:
            if write.based_on is None and not left:
                raise
            continue
        return Done(write, name, stored, not_kept(values, stored))
    raise _changed(write, name)


async def submit(work: Sending, write: OutboxWrite) -> Done:
    return await _to_docstatus(work, write, SUBMITTED)


async def cancel(work: Sending, write: OutboxWrite) -> Done:
    return await _to_docstatus(work, write, CANCELLED)


async def _to_docstatus(work: Sending, write: OutboxWrite, wanted: int) -> Done:
    name = await document_name(work.hub, write)
    for left in reversed(range(ROUNDS)):
        there = await _read(work, write, name)
        status = int(there.get("docstatus") or 0)
        if status == wanted:
            return Done(write, name, there, {})
        if status != wanted - 1:
            is_now = "is a draft" if status == DRAFT else "was cancelled"
            raise Gone(
                f"{write.doctype} {name} {is_now} and cannot be {write.operation}ed.",
                next_step="Look at it in ERPNext, and give this up if it is no longer wanted.",
            )
        if write.based_on is not None and write.based_on != str(there["modified"]):
            raise _changed(write, name)
        change = work.site.submit if wanted == SUBMITTED else work.site.cancel
        try:
            async with work.request([write], write.operation, [None], name=name) as attempt:
                stored = await change(write.doctype, name)
                attempt.answers[write.id] = stored
        except ChangedMeanwhile:
            if not left:
                raise
            continue
        return Done(write, name, stored, {})
    raise AssertionError("the last round returns or raises")


async def delete(work: Sending, write: OutboxWrite) -> Done:
    """One that is not there is deleted; so is one that another of its name stands in for."""
    name = await document_name(work.hub, write)
    try:
        there = await work.site.document(write.doctype, name)
    except NotFound:
        return Done(write, name)
    creation = str(there.get("creation") or "")
    if write.document_creation not in (None, creation):
        return Done(write, name)
    if write.based_on is not None and write.based_on != str(there["modified"]):
        raise _changed(write, name)
    try:
        intent = {"name": name, "document_creation": creation, "before": there}
        async with work.request([write], "delete", [None], **intent) as attempt:
            await work.site.delete(write.doctype, name)
            attempt.answers[write.id] = {}
    except NotFound:
        pass
    return Done(write, name)


async def call(work: Sending, write: OutboxWrite) -> Done:
    if write.begun_at is not None and not write.repeatable:
        raise UnknownFate(
            f"{write.doctype} was called, and its answer was lost.",
            next_step="Look in ERPNext whether it was done: give it up if it was, else retry.",
        )
    values = await sent_values(work.hub, write)
    async with work.request([write], "call", [values]) as attempt:
        answer = await work.site.call(write.doctype, **values)
        attempt.answers[write.id] = answer
    return Done(write, write.name, answer=answer)


async def told_again(work: Sending, write: OutboxWrite) -> Done:
    """What was done before, and a listener did not take in."""
    if write.operation in ("delete", "call") or write.name is None:
        return Done(write, write.name, answer=write.answer)
    stored = await work.site.document(write.doctype, write.name)
    return Done(write, write.name, stored, write.not_kept)


async def _read(work: Sending, write: OutboxWrite, name: str) -> Document:
    there: Document = await work.site.document(write.doctype, name)
    if write.document_creation not in (None, str(there.get("creation") or "")):
        raise Gone(
            f"{write.doctype} {name} was deleted, and another has its name now.",
            next_step="Look at it in ERPNext, and give this up.",
        )
    return there


def _changed(write: OutboxWrite, name: str) -> FrappeError:
    return ChangedMeanwhile(
        f"Somebody saved {write.doctype} {name} since this {write.operation} was decided.",
        next_step="Look at it in ERPNext; retry to change it as it is now, or give this up.",
    )


OPERATIONS: dict[str, Callable[[Sending, OutboxWrite], Awaitable[Done]]] = {
    "update": update,
    "submit": submit,
    "cancel": cancel,
    "delete": delete,
    "call": call,
}

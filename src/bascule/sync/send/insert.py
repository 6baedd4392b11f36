"""A document sent to a site that names it by itself.

Where a name is taken ERPNext puts a number behind it; but several at once find the same one free,
and all but one of them are refused ("already exists"). So that is no answer to the create: it is
sent again, after a moment that is another for each.
"""

import asyncio

from bascule.backoff import Backoff
from bascule.frappe import Duplicate
from bascule.sync.receive.party import Document
from bascule.sync.send.work import Sending

ROUNDS = 8  # each of them lets one of those that came at once through, at least
RETRY = Backoff(0.1, jitter=0.5)


async def insert(
    work: Sending, doctype: str, what: str, document: Document, *, numbered: bool
) -> Document:
    """What the site stored. `numbered`: whether it gives those of a name that is taken a number."""
    for number in range(ROUNDS):
        try:
            async with work.record_attempt("create", what, document) as said:
                stored: Document = await work.site.insert(doctype, document)
                said.answer = stored
            return stored
        except Duplicate as error:
            # A value that has to be unique is another matter, and is told at its field.
            if not numbered or error.fields or number == ROUNDS - 1:
                raise
        await asyncio.sleep(RETRY.pause(number))
    raise AssertionError("the last round returns or raises")

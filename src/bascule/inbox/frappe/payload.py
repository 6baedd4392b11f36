"""What a delivery says: which document to look at. Nothing else in it is believed."""

from dataclasses import dataclass

import msgspec

from bascule.inbox.frappe.addresses import PLURALS, is_at

LONGEST_NAME = 255  # characters; ERPNext's own limit is 140


class Unreadable(ValueError):
    """Why, in the words of who wrote the webhook's template."""


@dataclass(frozen=True, slots=True)
class Payload:
    doctype: str
    name: str
    event: str  # Frappe's; empty where it was not told
    modified: str | None  # as the site wrote it


class _Body(msgspec.Struct):
    doctype: str | None = None
    name: str | int | None = None
    event: str | None = None
    modified: str | None = None


_DECODER = msgspec.json.Decoder(_Body)


def read(body: bytes, what: str) -> Payload:
    """`what`: the last part of the address that it came to. Unreadable, with the reason."""
    try:
        said = _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(
            f"The body is not a JSON object with a document's doctype and name: {error}."
        ) from None
    doctype = said.doctype or PLURALS.get(what)
    if not doctype:
        raise Unreadable("The body does not say which DocType it is about.")
    if not is_at(what, doctype):
        raise Unreadable(f"The body is about {doctype[:140]!r}, but the address is of {what!r}.")
    name = "" if said.name is None else str(said.name)
    if not name:
        raise Unreadable("The body does not name a document.")
    for text in (doctype, name, said.event or "", said.modified or ""):
        if len(text) > LONGEST_NAME:
            raise Unreadable(f"A value in the body has over {LONGEST_NAME} characters.")
        if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
            raise Unreadable("A value in the body holds what is no text.")
    return Payload(doctype, name, said.event or "", said.modified or None)

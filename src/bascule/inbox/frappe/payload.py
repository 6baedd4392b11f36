"""What a site's webhook says: which document to look at. Nothing else in it is believed."""

import msgspec

from bascule.inbox.frappe.addresses import PLURALS, is_at
from bascule.inbox.sources import Parsed, Unreadable


class Payload(msgspec.Struct):
    doctype: str | None = None
    name: str | int | None = None
    event: str | None = None
    modified: str | None = None  # as the site writes it


_DECODER = msgspec.json.Decoder(Payload)


def read(body: bytes, address: str) -> Parsed:
    """`address`: the last part of the path that it came to. Unreadable, with the reason.

    The same words about the same version say nothing new; without a version they may.
    """
    try:
        told = _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(
            f"The body is not a JSON object with a document's doctype and name: {error}."
        ) from None
    doctype = told.doctype or PLURALS.get(address)
    if not doctype:
        raise Unreadable("The body does not say which DocType it is about.")
    if not is_at(address, doctype):
        raise Unreadable(f"The body is about {doctype[:140]!r}, but the address is of {address!r}.")
    name = "" if told.name is None else str(told.name)
    if not name:
        raise Unreadable("The body does not name a document.")
    version = told.modified or None
    return Parsed(doctype, name, told.event or "", version, repeatable=version is None)

"""Names that ERPNext makes by itself of what is in an Address or a Contact, kept in their column.

A Contact is called "<its full name>-<the first document that it links to>", an Address
"<title>-<type>", with the type in the site's language; one whose name is taken gets a number behind
it, an Address from a series, which is known by what stands before the number. See autoname in
frappe/contacts/doctype/{contact,address}.
"""

from bascule.sync.fields import Part
from bascule.sync.receive.party import Document

LONGEST = 140  # characters of a document's name
_SERIES = 100  # of what stands before the number of a series
_NUMBER = 6  # of the number behind a name that is taken
_TYPE = 30  # of an Address's type, in any language
_TITLE = _SERIES - _TYPE - 2  # of an Address's title, with a dash behind it and behind the type
# A document that every site has and whose name is short, linked to first where the name of the
# real one is too long; it goes as soon as the Contact is made.
_STAND_IN = "DocType"
_NAMES = ("first_name", "middle_name", "last_name")


def is_named_by_the_site(part: Part, title: str) -> bool:
    """Whether ERPNext can name the one that it makes by itself of the fields of a new document:
    both are called `title`, or that with a number behind it.
    """
    if part == "contact":
        return 2 * (len(title) + _NUMBER) + 1 <= LONGEST
    return len(title) <= _TITLE


def fitting(part: Part, document: Document) -> Document:
    """The new Address or Contact with as much of its texts as there is room for in its name."""
    if part == "address":
        return document | {"address_title": str(document["address_title"])[:_TITLE].strip()}
    [link] = document["links"]
    full = " ".join(filter(None, (document.get(name) for name in _NAMES)))
    named = full or str(document.get("company_name") or "")
    if len(named) + 1 + len(link["link_name"]) + _NUMBER <= LONGEST:
        return document
    short = {"link_doctype": _STAND_IN, "link_name": link["link_doctype"]}
    fits = document | {"links": [short, link]}
    room = LONGEST - _NUMBER - 1 - len(short["link_name"])
    if len(named) <= room:
        return fits
    cut = named[:room].strip()
    if full:
        return fits | {**dict.fromkeys(_NAMES, ""), "first_name": cut}
    return fits | {"company_name": cut}


def lacking(made: Document, meant: Document | None) -> Document:
    """What a Contact or an Address is to be sent once it is made and named: the texts that were
    cut, and its links without the one that stood in. `meant`: None where an earlier try made it.
    """
    rows = made.get("links") or []
    own = [row for row in rows if row.get("link_doctype") != _STAND_IN]
    rest: Document = {"links": own} if len(own) < len(rows) else {}
    cut = {
        name: (meant or {})[name]
        for name in (*_NAMES, "company_name")
        if meant and meant.get(name) and made.get(name) != meant[name]
    }
    return rest | cut

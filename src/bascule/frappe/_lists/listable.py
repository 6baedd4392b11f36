"""Whether a DocType's documents can be listed and mirrored, and how the site writes its name."""

from typing import TYPE_CHECKING

from bascule.frappe.doctype import DocType
from bascule.frappe.errors import FrappeError, Invalid, NotAFrappeSite

if TYPE_CHECKING:
    from bascule.frappe._site import Site


def check_listed(meta: DocType) -> None:
    """Invalid where a DocType has no table of documents of its own."""
    if meta.single:
        raise _unlisted(
            meta,
            "is a Single: it holds settings, and has no documents to list",
            f"Read it with GET /api/resource/{meta.name} where it is needed; nothing is mirrored.",
        )
    if meta.virtual:
        raise _unlisted(
            meta,
            "is virtual: the site makes its documents up when they are asked for, and keeps none",
            "Mirror the DocTypes that it is made from instead.",
        )
    if meta.child:
        raise _unlisted(
            meta,
            "is a child table: its rows belong to the documents that they are in",
            "Mirror the DocType that has this table: the rows come with its documents.",
        )


async def listed_name(site: "Site", doctype: str) -> str:
    """The DocType's name as the site writes it. FrappeError where its documents cannot be listed,
    Invalid with the reason where they never can.
    """
    name = doctype
    try:
        meta = await site.meta(doctype)
    except FrappeError:
        meta = None  # who may not read definitions may list documents, and is told better there
    if meta is not None:
        check_listed(meta)
        name = meta.name
    try:
        await site.list(name, ["name"], limit=1)
    except (Invalid, NotAFrappeSite) as error:
        raise Invalid(
            f"The site could not list {name}: {error}",
            next_step="Check upper and lower case; a Single or a virtual DocType has no list.",
            doctype=name,
            status=error.status,
        ) from None
    return name


def _unlisted(meta: DocType, why: str, next_step: str) -> Invalid:
    return Invalid(f"{meta.name} {why}.", next_step=next_step, doctype=meta.name)

"""Fields that ERPNext 16 shows to the hub's user as X's: two-way sync of their DocType is refused.

The X's are no value. They would be taken for one, and in some releases a user who saves a document
writes them over what is there, whatever field was changed.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from weakref import WeakKeyDictionary

from bascule.connections.tables import Connection
from bascule.frappe import DocType, NoPermission, NotFound, Site, is_mask
from bascule.sync.fields import PARTS, Part
from bascule.sync.mapping import Mapped
from bascule.sync.receive.party import CHILDREN, doctype_of

SINCE = 16  # of ERPNext
REMEMBERED = 60.0  # seconds that a definition without masks is relied upon
_without: WeakKeyDictionary[Site, dict[str, float]] = WeakKeyDictionary()  # DocType: until when


async def masked_fields(
    site: Site, fields: Mapped, metas: Mapping[Part, DocType]
) -> list[tuple[str, str]]:
    """Each masked field, with the right that helps."""
    found = list(metas.values())
    tables = {one.place.table for one in fields.synced() if one.place and one.place.table}
    for child in [CHILDREN[table][0] for table in sorted(tables) if table in CHILDREN]:
        try:
            found.append(await site.meta(child))
        except (NoPermission, NotFound):
            continue
    return [note for meta in found for note in _of(meta)]


def _of(meta: DocType) -> Iterator[tuple[str, str]]:
    for name in sorted(meta.masked_for_user):
        one = meta.field(name)
        label = (one and one.label) or name
        roles = meta.roles_that_may("mask", one.permlevel if one else 0)
        step = f"Give the user one of these roles in ERPNext: {', '.join(roles)}."
        if not roles:
            step = (
                f"Give a role of the user the right 'Mask' to {meta.name} (in ERPNext: Role "
                "Permissions Manager), or unmask the field (Customize Form)."
            )
        yield (
            f"{meta.name} shows {label} ({name}) to the hub's user as X's only. These are no "
            "value, and a save by that user may write them over what is there.",
            step,
        )


async def refuse_masked(
    site: Site, connection: Connection, fields: Mapped, *, again: bool = False
) -> None:
    """NoPermission where a field is masked for the hub's user. `again`: ask, whatever is known."""
    major = str(connection.versions.get("erpnext") or "").partition(".")[0]
    if not major.isdigit() or int(major) < SINCE:
        return
    known = _without.setdefault(site, {})
    if not again and known.get(fields.type.doctype, 0.0) > time.monotonic():
        return
    metas: dict[Part, DocType] = {}
    for part in PARTS:
        try:
            metas[part] = await site.meta(doctype_of(fields.type, part))
        except (NoPermission, NotFound):
            continue
    for what, step in await masked_fields(site, fields, metas):
        raise NoPermission(what, next_step=step, doctype=fields.type.doctype)
    known[fields.type.doctype] = time.monotonic() + REMEMBERED


async def refuse_what_looks_masked(
    site: Site, connection: Connection, fields: Mapped, documents: Iterable[Mapping[str, Any]]
) -> None:
    """The same, before any text that reads like a mask is taken for a value."""
    if any(_has_mask(document) for document in documents):
        await refuse_masked(site, connection, fields, again=True)


def _has_mask(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_has_mask, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_has_mask, value))
    return is_mask(value)

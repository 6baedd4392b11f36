"""DocType definitions kept for a few minutes in this process: they rarely change, and asking
costs requests. A look at when each of them was changed last keeps them for as long as it finds
nothing new.
"""

import time
from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

from bascule.frappe import NoPermission, NotFound, Site
from bascule.mirror.columns import Shape, shape_of

KEPT_FOR = 300.0  # seconds
# What a definition is made of beside the DocType itself, and the field that names the DocType.
LAID_OVER = (("Custom Field", "dt"), ("Property Setter", "doc_type"), ("Custom DocPerm", "parent"))


class Kept(NamedTuple):
    at: float  # of `time.monotonic`: from then on it was the site's
    shape: Shape

    @property
    def doctypes(self) -> list[str]:
        return [one.doctype for one in (self.shape, *self.shape.children)]


class Look(NamedTuple):
    at: float  # when it was over
    changes: dict[str, tuple[object, ...]]  # DocType -> what is otherwise after each change


_kept: dict[tuple[object, ...], Kept] = {}
_looks: dict[UUID, Look] = {}


async def shape_for(
    site: Site, connection_id: UUID, doctype: str, omit: list[str], rename: Mapping[str, Any]
) -> Shape:
    """The shape of a DocType as the site told it, now or a few minutes ago."""
    key = (connection_id, doctype, tuple(omit), tuple(sorted(rename.items())))
    kept = _kept.get(key)
    if kept is None or time.monotonic() - kept.at >= KEPT_FOR:
        at = time.monotonic()
        kept = _kept[key] = Kept(at, await shape_of(site, doctype, omit, rename))
    return kept.shape


def forget_shapes(connection_id: UUID, doctype: str) -> None:
    """The site refused a field that it had: ask again."""
    for key in [key for key in _kept if key[:2] == (connection_id, doctype)]:
        del _kept[key]


async def look_at_definitions(site: Site, connection_id: UUID) -> None:
    """Forget the shapes of DocTypes that changed since the last look; keep the others longer. A few
    requests, however many there are. A user who may not read what definitions are made of is given
    the definitions themselves, so there is nothing to keep them by.
    """
    before = _looks.pop(connection_id, None)
    try:
        changes = await _changes(site)
    except (NoPermission, NotFound):
        return
    now = _looks[connection_id] = Look(time.monotonic(), changes)
    for key, kept in list(_kept.items()):
        if key[0] != connection_id or before is None or kept.at < before.at:
            continue
        if all(before.changes.get(name) == now.changes.get(name) for name in kept.doctypes):
            _kept[key] = Kept(now.at, kept.shape)
        else:
            del _kept[key]


async def _changes(site: Site) -> dict[str, tuple[object, ...]]:
    rows = await site.list("DocType", ["name", "modified"], limit=0)
    found: dict[str, tuple[object, ...]] = {str(row["name"]): (row["modified"],) for row in rows}
    for doctype, names in LAID_OVER:
        rows = await site.list(
            doctype,
            [names, "count(name) as total", "max(modified) as newest"],
            group_by=names,
            limit=0,
        )
        for row in rows:
            of = str(row[names])
            found[of] = (*found.get(of, ()), doctype, row["total"], row["newest"])
    return found

"""DocType definitions kept for a few minutes in this process: they rarely change, and asking
costs requests.
"""

import time
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from bascule.frappe import Site
from bascule.mirror.columns import Shape, shape_of

KEPT_FOR = 300.0  # seconds

_kept: dict[tuple[object, ...], tuple[float, Shape]] = {}


async def shape_for(
    site: Site, connection_id: UUID, doctype: str, omit: list[str], rename: Mapping[str, Any]
) -> tuple[Shape, bool]:
    """The shape of a DocType, and whether the site was asked for it now."""
    key = (connection_id, doctype, tuple(omit), tuple(sorted(rename.items())))
    kept = _kept.get(key)
    if kept is not None and time.monotonic() - kept[0] < KEPT_FOR:
        return kept[1], False
    shape = await shape_of(site, doctype, omit, rename)
    _kept[key] = (time.monotonic(), shape)
    return shape, True


def forget_shapes(connection_id: UUID, doctype: str) -> None:
    """The site refused a field that it had: ask again."""
    for key in [key for key in _kept if key[:2] == (connection_id, doctype)]:
        del _kept[key]

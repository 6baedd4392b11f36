"""Fields that a site withholds from the hub's user in DocTypes that the user may read.

These are fields above the user's permission level, and fields that are masked for the user.
"""

import asyncio
from collections.abc import Iterable

from bascule.frappe import DocType, FrappeError, Site


async def withheld_of(site: Site, meta: DocType) -> dict[str, str]:
    """Field -> what the user needs to be given it. One request where the DocType has fields that
    are not everybody's.
    """
    try:
        levelled = [one.name for one in meta.columns if one.permlevel]
        page = await site.page(meta.name, ("name", *levelled), limit=1) if levelled else None
    except FrappeError:
        return {}
    above = [name for name in levelled if page is not None and name in page.withheld]
    return {name: _needs(meta, name) for name in (*above, *_masked(meta))}


async def masked_in_children(site: Site, metas: Iterable[DocType]) -> dict[str, dict[str, str]]:
    """Child DocType -> masked field -> what the user needs to be given it. One request each, where
    the site's version masks fields at all.
    """
    if not site.may_mask_fields:
        return {}
    names = dict.fromkeys(child for meta in metas for _, child in meta.children)
    found = await asyncio.gather(*map(site.meta, names), return_exceptions=True)
    return {
        child.name: {name: _needs(child, name) for name in _masked(child)}
        for child in found
        if isinstance(child, DocType)
    }


def _masked(meta: DocType) -> list[str]:
    return [one.name for one in meta.columns if one.name in meta.masked_for_user]


def _needs(meta: DocType, name: str) -> str:
    level = next(one.permlevel for one in meta.columns if one.name == name)
    masked = name in meta.masked_for_user
    roles = " or ".join(meta.roles_that_may("mask" if masked else "read", level))
    what = f"the right Mask on {meta.name}" if masked else f"permission level {level}"
    return what + (f", as {roles} has" if roles else "")

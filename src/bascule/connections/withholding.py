"""What a site keeps from its user of the DocTypes that he may read: fields above his permission
level, and fields that are masked for him.
"""

from bascule.frappe import DocType, FrappeError, Site


async def withheld_of(site: Site, doctype: str) -> dict[str, str]:
    """Field -> what the user needs to be given it. One request, and one more where the DocType has
    fields that are not everybody's; nothing where its definition may not be read.
    """
    try:
        meta = await site.meta(doctype)
        levelled = [one.name for one in meta.columns if one.permlevel]
        page = await site.page(doctype, ("name", *levelled), limit=1) if levelled else None
    except FrappeError:
        return {}
    above = [name for name in levelled if page is not None and name in page.withheld]
    masked = [one.name for one in meta.columns if one.name in meta.masked_for_user]
    return {name: _needs(meta, name) for name in (*above, *masked)}


def _needs(meta: DocType, name: str) -> str:
    level = next(one.permlevel for one in meta.columns if one.name == name)
    masked = name in meta.masked_for_user
    roles = " or ".join(meta.roles_that_may("mask" if masked else "read", level))
    what = f"the right Mask on {meta.name}" if masked else f"permission level {level}"
    return what + (f", as {roles} has" if roles else "")

"""How what the hub made on a site is removed there. Each room registers it beside what it makes."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from bascule.connections.deletion.leaving import OnSite
from bascule.frappe import Site
from bascule.hub import Hub


@dataclass(frozen=True)
class Removed:
    """`names`: of documents that are gone from the site. `kept`: what stays there, and why."""

    names: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)


Remover = Callable[[Hub, Site, str, dict[str, Any]], Awaitable[Removed]]
_removers: dict[str, Remover] = {}


def removes(kind: str) -> Callable[[Remover], Remover]:
    """Registers who removes that kind: `(hub, site, api_url, data)`. What is gone already is no
    error; it may be called again.
    """

    def register(remover: Remover) -> Remover:
        _removers[kind] = remover
        return remover

    return register


async def remove(hub: Hub, site: Site, api_url: str, one: OnSite) -> Removed:
    return await _removers[one.kind](hub, site, api_url, one.data)

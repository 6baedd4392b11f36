"""What needs somebody: for the first page, its JSON and the command line. Each room registers how
it finds what it knows of; nobody asks a site for it.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.permissions import Permission
from bascule.accounts.tables import User
from bascule.hub import Hub

# The most urgent first.
Kind = Literal[
    "worker",  # none is there, so nothing happens by itself
    "queue",  # what waits for a place waits too long
    "full",  # the disk: nothing is pulled
    "refused",  # the site does not let the hub in
    "down",  # the site does not answer
    "failed",  # runs, or records that were not sent
    "conflict",  # records that both sides changed
    "webhooks",  # they do not arrive, or not as they should
    "late",  # a schedule stands still
    "differs",  # the mirror is not equal to the site
    "expiring",  # a token that ends, an API secret that is old
    "waiting",  # tried again by itself
]
KINDS: tuple[Kind, ...] = Kind.__args__  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Action:
    """The button that takes it away: it leads to `href`, or with `post` does it there at once.
    `permission`: what it takes.
    """

    label: str
    href: str
    post: bool = False
    values: Mapping[str, str] = field(default_factory=dict)
    icon: str = ""
    permission: Permission = field(kw_only=True)


@dataclass(frozen=True)
class AttentionItem:
    """`name`: what it is about. `page`: where more is told, and where it can be mended; "" where no
    page does. `mend` is None for who may not, or where there is nothing to do but look. `command`:
    what mends it, or tells more, on the command line. `cause`: what those of a kind that have one
    cause share; "" where it stands by itself. `also`: the others of the same cause.
    """

    kind: Kind
    name: str
    what: str
    next_step: str
    page: str
    mend: Action | None = None
    command: str = ""
    cause: str = ""
    also: tuple["AttentionItem", ...] = ()


Finder = Callable[[Hub, AsyncSession, User | None], Awaitable[list[AttentionItem]]]
_finders: list[Finder] = []


def finds_attention_items(finder: Finder) -> Finder:
    _finders.append(finder)
    return finder


async def attention_items_of(
    hub: Hub, session: AsyncSession, viewer: User | None
) -> list[AttentionItem]:
    """All that concerns what this viewer may see; the most urgent first, each cause once."""
    found = [need for finder in _finders for need in await finder(hub, session, viewer)]
    found.sort(key=lambda need: KINDS.index(need.kind))
    return _by_cause(
        need
        if need.mend is None or viewer is None or viewer.may(need.mend.permission)
        else replace(need, mend=None)
        for need in found
    )


def _by_cause(needs: Iterable[AttentionItem]) -> list[AttentionItem]:
    """In the order of the first of each cause, which has the others with it."""
    together: dict[tuple[object, ...], list[AttentionItem]] = {}
    for number, need in enumerate(needs):
        key = (need.kind, need.cause) if need.cause else (number,)
        together.setdefault(key, []).append(need)
    return [
        replace(first, also=tuple(others)) if others else first
        for first, *others in together.values()
    ]

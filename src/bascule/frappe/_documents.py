"""Documents asked for in a sentence: `site.documents("Item").where(disabled=0).all()`.

Only words for what `Site` does; nothing is asked of the site before the sentence is awaited or
walked over.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from bascule.frappe._lists.filters import conditions, lookups
from bascule.frappe._lists.page import KEYS, Key

if TYPE_CHECKING:
    from bascule.frappe._site import Site


@dataclass(frozen=True, slots=True)
class Documents:
    """Each word gives a new sentence, so that a part of one can be used again."""

    site: "Site"
    doctype: str
    wanted: tuple[str, ...] = ("name",)
    filters: tuple[tuple[Any, ...], ...] = ()
    parent: str | None = None
    key: Key = "name"
    descending: bool = False

    def where(self, *written_out: Any, **looked_up: Any) -> Self:
        """`where(disabled=0, modified__gte=...)`; or Frappe's own `where(["qty", ">", 5])`.

        Lookups: __gt __gte __lt __lte __ne __in __not_in __like __not_like __between __isset.
        """
        more = [*conditions(written_out), *lookups(looked_up)]
        return replace(self, filters=(*self.filters, *map(tuple, more)))

    def fields(self, *names: str) -> Self:
        return replace(self, wanted=names)

    def of(self, parent: str) -> Self:
        """For a child DocType: the DocType that its rows belong to. The site wants to know."""
        return replace(self, parent=parent)

    def oldest_changes_first(self) -> Self:
        return replace(self, key="modified", descending=False)

    def newest_changes_first(self) -> Self:
        return replace(self, key="modified", descending=True)

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        operation = (*self.wanted, *(k for k in KEYS[self.key] if k not in self.wanted))
        pages = self.site.pages(
            self.doctype,
            operation,
            filters=self.filters,
            key=self.key,
            descending=self.descending,
            parent=self.parent,
        )
        async for page in pages:
            for row in page.rows():
                yield dict(zip(self.wanted, row, strict=False))

    async def all(self) -> list[dict[str, Any]]:
        return [document async for document in self]

    async def first(self) -> dict[str, Any] | None:
        """The first of them, or None; one row is asked for."""
        rows = await self.site.list(
            self.doctype,
            self.wanted,
            filters=self.filters,
            order_by=", ".join(
                f"{field} {'desc' if self.descending else 'asc'}" for field in KEYS[self.key]
            ),
            limit=1,
            parent=self.parent,
        )
        return rows[0] if rows else None

    async def count(self) -> int:
        return await self.site.count(self.doctype, self.filters, parent=self.parent)

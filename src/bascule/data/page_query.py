"""What a data page's address asks for, in the API's own words, and the addresses that lead on."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

from fastapi import Request

from bascule.data.api import OUR_NAMES, filters_of, names_in
from bascule.data.relation import BadQuery

# What forms add to an address; `without_defaults` turns it into the API's words.
FILTER, IS, VALUE, SHOW = "_filter", "_is", "_value", "_show"
# What somebody chooses stays with them: an order, and again the usual order and columns.
SORT, USUAL = "_sort", "_usual"
_FORMS = {FILTER, IS, VALUE, SHOW, SORT, USUAL}


@dataclass(frozen=True, slots=True)
class PageQuery:
    """`wrong`: why the address cannot be taken as it is, as far as that shows without looking."""

    path: str
    where: Mapping[str, str] = field(default_factory=dict)
    search: str = ""
    sort: str = ""
    columns: tuple[str, ...] = ()
    after: str = ""
    wrong: BadQuery | None = None

    def pairs(self) -> list[tuple[str, str]]:
        ours = {
            "search": self.search,
            "sort": self.sort,
            "columns": ",".join(self.columns),
            "after": self.after,
        }
        return [*[(name, value) for name, value in ours.items() if value], *self.where.items()]

    @property
    def url(self) -> str:
        pairs = self.pairs()
        return f"{self.path}?{urlencode(pairs)}" if pairs else self.path

    def without(self, *names: str) -> "PageQuery":
        """From the first page on, and without these filters or others of our names."""
        where = {name: value for name, value in self.where.items() if name not in names}
        rest = {name: "" for name in names if name in ("search", "sort")}
        columns = () if "columns" in names else self.columns
        return replace(self, where=where, columns=columns, after="", wrong=None, **rest)

    def filtered(self, where: Mapping[str, str]) -> "PageQuery":
        return replace(self, where={**self.where, **where}, after="", wrong=None)

    def choosing(self, name: str, value: str) -> str:
        """The address at which something is chosen for good: an order, or the usual ones."""
        pairs = replace(self, sort="", after="").pairs()
        return f"{self.path}?{urlencode([*pairs, (name, value)])}"

    def page_after(self, cursor: str) -> "PageQuery":
        return replace(self, after=cursor)


def page_query_of(request: Request) -> PageQuery:
    query = request.query_params
    rest = [(name, value) for name, value in query.multi_items() if name not in _FORMS]
    wrong = None
    try:
        where = {name: value for name, value in filters_of(request).items() if name not in _FORMS}
    except BadQuery as error:
        wrong = error
        where = {name: value for name, value in rest if name not in OUR_NAMES}
    return PageQuery(
        request.url.path,
        where,
        query.get("search", "").strip(),
        query.get("sort", ""),
        tuple(names_in(query.get("columns")) or ()),
        query.get("after", ""),
        wrong,
    )


def without_defaults(request: Request, asked: PageQuery) -> PageQuery | None:
    """Where a form of the page leads; None where the address has nothing of one."""
    query = request.query_params
    if not _FORMS & query.keys():
        return None
    asked = replace(asked, after="")
    if shown := query.getlist(SHOW):
        asked = replace(asked, columns=tuple(dict.fromkeys(shown)))
    if sort := query.get(SORT):
        asked = replace(asked, sort=sort)
    if USUAL in query:
        asked = replace(asked, columns=(), sort="")
    if column := query.get(FILTER):
        operator = query.get(IS, "")
        value = "true" if operator == "isnull" else query.get(VALUE, "").strip()
        asked = asked.filtered({f"{column}__{operator}" if operator else column: value})
    return asked

"""The base of `Site`: method calls, remembered definitions, and refusals that name helpful roles.

Reading documents is in `_site`, writing them in `_writes`.
"""

import time
from collections.abc import Awaitable
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from bascule.frappe._http.error_mapping import field_above_level, with_roles
from bascule.frappe._http.models import Operation, Response
from bascule.frappe._http.response import document, member
from bascule.frappe._http.session import Session
from bascule.frappe._lists.filters import site_value
from bascule.frappe._meta import fetch_meta
from bascule.frappe.doctype import DocType
from bascule.frappe.errors import FrappeError, NoPermission

T = TypeVar("T")

REMEMBERED = 600.0  # seconds that a definition is reused
MOST_REMEMBERED = 4  # definitions a site; they are large, and a hub may have many sites


class Client:
    """`major` is Frappe's major version; `major_was_told` once the site told it to this object."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.major: int | None = None
        self.major_was_told = False
        self._known: dict[str, tuple[float, DocType | None]] = {}

    async def __aenter__(self) -> Self:
        await self.session.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.session.__aexit__(kind, error, traceback)

    async def call(self, method: str, /, **params: Any) -> Any:
        """The result of a whitelisted method. It may write, so the request is never repeated."""
        operation = Operation("call", method)
        path = f"/api/method/{quote(method, safe='')}"
        response = await self.session.write("POST", path, operation, json=site_value(params))
        return member(response, operation, "message", needed=False)

    async def get(self, method: str, /, **params: Any) -> Any:
        """The result of a whitelisted method that only reads; repeated while the site is away."""
        operation = Operation("call", method)
        path = f"/api/method/{quote(method, safe='')}"
        if params:
            path += "?" + urlencode({name: _in_query(value) for name, value in params.items()})
        return await self.session.read(
            "GET",
            path,
            operation,
            partial(member, operation=operation, name="message", needed=False),
        )

    async def meta(self, doctype: str) -> DocType:
        """What the DocType is made of, custom fields and changed properties included."""
        meta = await fetch_meta(self, doctype)
        self._remember(doctype, meta)
        return meta

    # Refusals, explained by the definition of the DocType

    def _operation(self, action: str, doctype: str, name: str | None = None) -> Operation:
        return Operation(action, doctype, name, self._known.get(doctype, (0.0, None))[1])

    async def _stored(
        self, exchange: Awaitable[Response], operation: Operation, within: str = "data"
    ) -> dict[str, Any]:
        """The document that the site returns after a write."""
        return document(
            await self._explained(exchange, operation.action, operation.target), operation, within
        )

    async def _explained(
        self, exchange: Awaitable[T], action: str, doctype: str, parent: str | None = None
    ) -> T:
        """Adds to a NoPermission the roles that would help. Costs one more request the first time.

        The refusal may be about another document, which the site saves with this one.
        """
        try:
            return await exchange
        except NoPermission as error:
            refused = error
        if refused.field:
            of, name = refused.field
            raise field_above_level(refused, await self._definition(of), name)
        other = refused.doctype if refused.doctype != doctype else None
        meta = await self._definition(other or parent or doctype)
        if meta is not None and meta.child:
            raise NoPermission(
                str(refused),
                next_step="Rows of a child table are listed with parent=<the DocType they are in>.",
                doctype=doctype,
                status=refused.status,
            )
        raise with_roles(refused, meta.roles_that_may(action) if meta else ())

    async def _definition(self, doctype: str) -> DocType | None:
        """None where the user may not read the definition; that is remembered too."""
        until, meta = self._known.get(doctype, (0.0, None))
        if until < time.monotonic():
            try:
                meta = await fetch_meta(self, doctype)
            except FrappeError:
                meta = None
            self._remember(doctype, meta)
        return meta

    def _remember(self, doctype: str, meta: DocType | None) -> None:
        self._known.pop(doctype, None)
        self._known[doctype] = (time.monotonic() + REMEMBERED, meta)
        while len(self._known) > MOST_REMEMBERED:
            del self._known[next(iter(self._known))]


def document_path(doctype: str, name: str | None = None) -> str:
    path = f"/api/resource/{quote(doctype, safe='')}"
    return path if name is None else f"{path}/{quote(name, safe='')}"


def fits_a_path(name: str) -> bool:
    """Whether a document's name survives as the end of a URL's path.

    Slashes at its ends and dots between slashes are resolved away, encoded or not, and no route of
    Frappe takes a line break. Other names go in the body of a call.
    """
    return "\n" not in name and all(part.strip(".") for part in name.split("/"))


def _in_query(value: Any) -> str:
    value = site_value(value)
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()

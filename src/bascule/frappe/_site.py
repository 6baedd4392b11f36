"""A Frappe site as a Python object: what can be asked of it and what can be written to it.

Says what goes to which route; the connection is `_http.transport`'s, the shape of a page
`_lists.page`'s, and what a refusal means `_http.error_mapping`'s.
"""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from bascule.frappe import checksums
from bascule.frappe._client import REMEMBERED, document_path, fits_a_path
from bascule.frappe._documents import Documents
from bascule.frappe._http.body import MAX_DOCUMENT
from bascule.frappe._http.error_mapping import seen_as_guest
from bascule.frappe._http.models import Operation
from bascule.frappe._http.response import document
from bascule.frappe._http.session import Session
from bascule.frappe._http.transport import AiohttpTransport, MayConnect, Transport
from bascule.frappe._lists.filters import Filters, conditions
from bascule.frappe._lists.page import Key, Page, PageSize, Position
from bascule.frappe._lists.page_fetch import ColumnMemory, fetch_page
from bascule.frappe._lists.rows import fetch_rows, fetch_versions
from bascule.frappe._versions import major_of, may_mask_fields, may_take_sql_functions
from bascule.frappe._writes import Writes
from bascule.frappe.address import site_url
from bascule.frappe.errors import Invalid, NoPermission, NotFound
from bascule.frappe.walk_limit import WalkLimit, limit_by_modified, limit_by_name

_DEFAULT_ZONE = "Asia/Kolkata"  # Frappe's own, where System Settings has none


class Site(Writes):
    """A site and the user whose key this is. Open it with `async with`.

    - `allow_http` allows plain HTTP to other machines than this one.
    - `ca_bundle` is a PEM file of a CA to trust beside the usual ones.
    - `timeout` is in seconds, for one request with its response.
    - `may_connect` is called with each IP address before it is connected to; AddressRefused where
      it says no. Redirects are never followed.
    - `versions` are those of the site's apps, as it told them at another time.
    - `transport` sends the requests instead of aiohttp. It adds its own credential, so the key, the
      secret, `ca_bundle`, `timeout` and `may_connect` are not used.

    ValueError for an address or a key that cannot be one.
    """

    def __init__(
        self,
        url: str,
        api_key: str = "",
        api_secret: str = "",
        *,
        allow_http: bool = False,
        ca_bundle: Path | None = None,
        max_concurrency: int = 4,
        timeout: float = 60.0,
        may_connect: MayConnect | None = None,
        versions: Mapping[str, str] | None = None,
        transport: Transport | None = None,
    ) -> None:
        self.url = site_url(url, allow_http=allow_http)
        if transport is None:
            transport = AiohttpTransport(
                self.url,
                api_key,
                api_secret,
                ca_bundle=ca_bundle,
                max_connections=max_concurrency,
                timeout=timeout,
                may_connect=may_connect,
            )
        super().__init__(Session(self.url, transport, max_concurrency=max_concurrency))
        self.major = major_of(versions)
        self._zone: tuple[float, str] | None = None
        self._listing = ColumnMemory()
        self._checksums: tuple[float, bool] | None = None

    def __repr__(self) -> str:
        return f"<Site {self.url}>"

    @property
    def concurrency(self) -> int:
        """How many requests the site gets at once at present."""
        return max(1, int(self.session.limiter.allowed))

    # Who and where

    async def logged_user(self) -> str:
        """The user whose key this is. WrongCredentials also where the site saw no key at all."""
        lost = None
        try:
            user = await self.get("frappe.auth.get_logged_user")
        except NoPermission as error:
            lost, user = error.status, "Guest"
        if user == "Guest":
            raise seen_as_guest(lost)
        return str(user)

    async def answer_of(self, method: str) -> tuple[int, str]:
        """Status and body of a method that only reads, as they came; for who shows them."""
        response = await self.session.bare("GET", f"/api/method/{quote(method, safe='')}")
        return response.status, response.body.decode("utf-8", "replace")

    async def versions(self) -> dict[str, str]:
        """The version of each installed app, by the app's name."""
        return await fetch_versions(self)

    async def time_zone(self) -> str:
        """The IANA name of the zone that the site's times are in."""
        if self._zone is None or self._zone[0] < time.monotonic():
            self._zone = (time.monotonic() + REMEMBERED, await self._asked_zone())
        return self._zone[1]

    async def _asked_zone(self) -> str:
        try:
            told = await self.get("frappe.client.get_time_zone")
        except (NotFound, NoPermission):  # early releases of 13 and 14 have no such method
            told = await self.get(
                "frappe.client.get_value", doctype="System Settings", fieldname="time_zone"
            )
        name = (told.get("time_zone") if isinstance(told, dict) else None) or _DEFAULT_ZONE
        try:
            ZoneInfo(name)
        except (ValueError, OSError, LookupError):
            known = False
        else:
            known = True
        if not known:
            raise Invalid(
                f"The site says that its time zone is {name}, which is no zone.",
                next_step="Choose a time zone in ERPNext's System Settings.",
            )
        return str(name)

    async def clock(self) -> datetime:
        """The site's local time, naive as its own times are, to the second.

        From the Date header of an answer; a site behind a proxy that leaves it out is taken to have
        this machine's time.
        """
        moment = await self.session.read(
            "GET",
            "/api/method/ping",
            Operation("call", "ping"),
            lambda response: response.served_at or datetime.now(UTC),
        )
        return moment.astimezone(ZoneInfo(await self.time_zone())).replace(tzinfo=None)

    # Reading

    async def document(self, doctype: str, name: str) -> dict[str, Any]:
        """One document with its child tables. Frappe leaves out the fields that are null."""
        operation = self._operation("read", doctype, name)
        if not fits_a_path(name):
            reading = self.session.read(
                "POST",
                "/api/method/frappe.client.get",
                operation,
                partial(document, operation=operation, within="message"),
                json={"doctype": doctype, "name": name},
                most=MAX_DOCUMENT,
            )
        else:
            path = document_path(doctype, name)
            take = partial(document, operation=operation)
            reading = self.session.read("GET", path, operation, take, most=MAX_DOCUMENT)
        return await self._explained(reading, "read", doctype)

    async def list(
        self,
        doctype: str,
        fields: Sequence[str] = ("name",),
        *,
        filters: Filters = (),
        or_filters: Filters = (),
        order_by: str | None = None,
        limit: int = 20,
        parent: str | None = None,
        group_by: str | None = None,
    ) -> list[dict[str, Any]]:
        """Documents as the site lists them. `limit` 0: all. Without `order_by` there is no order.

        `fields` may hold "*" and functions ("count(name) as n"). A child DocType wants `parent`.
        """
        reading = fetch_rows(
            self,
            self._operation("read", doctype),
            fields,
            limit=limit,
            parent=parent,
            filters=conditions(filters),
            or_filters=conditions(or_filters),
            order_by=order_by,
            group_by=group_by,
        )
        return await self._explained(reading, "read", doctype, parent)

    async def count(self, doctype: str, filters: Filters = (), *, parent: str | None = None) -> int:
        """How many documents a list would show this user. (Frappe's own get_count also counts
        those that the user may not see.)
        """
        rows = await self.list(
            doctype, ("count(name) as total",), filters=filters, limit=1, parent=parent
        )
        return int(rows[0]["total"] or 0) if rows else 0

    async def has_checksums(self, doctype: str) -> bool:
        """Whether lists may ask the site's database for `checksums`; tried on this DocType."""
        if self._checksums is None or self._checksums[0] < time.monotonic():
            try:
                able = await self._try_checksum(doctype)
            except (NoPermission, NotFound):
                return False  # which says nothing of other DocTypes
            self._checksums = (time.monotonic() + REMEMBERED, able)
        return self._checksums[1]

    @property
    def may_mask_fields(self) -> bool:
        """Whether this version of Frappe can mask fields; False while the version is not known."""
        return may_mask_fields(self.major)

    def forget_abilities(self) -> None:
        """The site refused what it took before, as one does that was upgraded: ask again."""
        self._checksums = None
        self.major, self.major_was_told = None, False

    async def _try_checksum(self, doctype: str) -> bool:
        if self.major is None:
            await self.versions()
        if not may_take_sql_functions(self.major):
            return False
        try:
            await self.list(doctype, (checksums.row_checksum(("name",)),), limit=1)
        except Invalid:
            return False
        return True

    async def total_checksum(
        self,
        doctype: str,
        fields: Sequence[str],
        filters: Filters = (),
        *,
        parent: str | None = None,
        guards: Sequence[str] = (),
    ) -> checksums.Total | None:
        """Count and checksum of all rows that a list would give, in one request. None where one of
        the `guards` is withheld, which are those of the fields that may be.
        """
        operation = checksums.total_checksum(fields, guards)
        rows = await self.list(doctype, operation, filters=filters, limit=1, parent=parent)
        return checksums.as_total(rows[0], guards) if rows else checksums.Total(0, 0)

    async def page(
        self,
        doctype: str,
        fields: Sequence[str],
        *,
        filters: Filters = (),
        or_filters: Filters = (),
        key: Key = "name",
        descending: bool = False,
        after: Position | None = None,
        before: Position | None = None,
        limit: int,
        parent: str | None = None,
        through_parents: bool = False,
    ) -> Page:
        """One page of a walk in the order of `key`, between two positions, both left out.

        `after` and `before` are meant in the order of the walk: descending, what comes after is
        less. A page that takes too long is asked for again with fewer rows. ValueError where the
        key is not among the fields, or `or_filters` meet a position by `modified`: it needs them.
        `through_parents`: rows of a child DocType are asked of their parents, which is the only
        way to its fields of a permission level (version 14 and later).
        """
        reading = fetch_page(
            self,
            self._listing,
            self._operation("read", doctype),
            tuple(fields),
            filters=conditions(filters),
            or_filters=conditions(or_filters),
            key=key,
            descending=descending,
            after=after,
            before=before,
            limit=limit,
            parent=parent,
            through_parents=through_parents,
        )
        return await self._explained(reading, "read", doctype, parent)

    async def pages(
        self,
        doctype: str,
        fields: Sequence[str],
        *,
        filters: Filters = (),
        key: Key = "name",
        descending: bool = False,
        after: Position | None = None,
        parent: str | None = None,
        size: PageSize | None = None,
    ) -> AsyncIterator[Page]:
        """All pages, one after another, each as large as takes about a second. NeverEnds for more
        than the site counts.
        """
        size = size or PageSize()
        filters = conditions(filters)
        ending = WalkLimit(
            doctype,
            lambda: self.count(doctype, filters, parent=parent),
            limit_by_name if key == "name" else limit_by_modified,
        )
        while True:
            page = await self.page(
                doctype,
                fields,
                filters=filters,
                key=key,
                descending=descending,
                after=after,
                limit=size.rows,
                parent=parent,
            )
            size.saw(page)
            await ending.saw(page.count)
            if page.count:
                yield page
            if not page.full or page.last is None:
                return
            after = page.last

    def documents(self, doctype: str) -> Documents:
        return Documents(self, doctype)

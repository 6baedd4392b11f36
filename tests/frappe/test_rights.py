"""What a user may do: told by its roles and a DocType's permission rows, and asked of the site."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from bascule.frappe import DocType, Field, Site
from bascule.frappe.permissions import fields_above, has_permission, is_only_if_owner, roles_of_user
from bascule.sandbox import Sandbox

MASTER = "Sales Master Manager"
AsUser = Callable[..., AbstractAsyncContextManager[Site]]


@pytest.fixture
def as_user(erpnext_snapshot: Any) -> AsUser:
    @asynccontextmanager
    async def opened(*roles: str) -> AsyncIterator[Site]:
        user = {"name": "ann@example.com", "api_key": "k", "api_secret": "s", "roles": list(roles)}
        snapshot = replace(erpnext_snapshot, users={**erpnext_snapshot.users, "ann": user})
        async with Sandbox(snapshot).serve() as running, Site(running.url, "k", "s") as site:
            yield site

    return opened


async def test_an_address_is_the_business_of_sales_user_and_not_of_sales_master_manager(
    as_user: AsUser,
) -> None:
    rights = ("read", "write", "create")
    async with as_user(MASTER) as site:
        assert await roles_of_user(site) == frozenset({MASTER, "All", "Desk User", "Guest"})
        assert [await has_permission(site, "Customer", right) for right in rights] == [True] * 3
        assert [await has_permission(site, "Contact", right) for right in rights] == [True] * 3
        # Those that it made itself alone: ERPNext then says read, and not write.
        assert [await has_permission(site, "Address", right) for right in rights] == [
            True,
            False,
            True,
        ]
        assert is_only_if_owner(await site.meta("Address"), [MASTER, "All"], "read")
        assert not is_only_if_owner(await site.meta("Contact"), [MASTER, "All"], "read")
        assert await has_permission(site, "Custom Field", "create") is False
        assert await site.list("Address") == []
    async with as_user(MASTER, "Sales User") as site:
        assert [await has_permission(site, "Address", right) for right in rights] == [True] * 3
        roles = await roles_of_user(site)
        meta = await site.meta("Address")
        assert roles is not None and not is_only_if_owner(meta, roles, "read")
        assert "All" not in meta.roles_that_may("read") and "Sales User" in meta.roles_that_may(
            "read"
        )
        assert await site.list("Address") != []


def test_fields_above_ones_level_are_told() -> None:
    rows: list[Mapping[str, Any]] = [
        {"role": "Sales User", "read": 1, "write": 1},
        {"role": "Sales User", "permlevel": 1, "read": 1},
        {"role": MASTER, "permlevel": 1, "read": 1, "write": 1, "mask": 1},
        {"role": "Accounts User", "mask": 1},
    ]
    fields = [
        Field("plain", "Data"),
        Field("level", "Data", permlevel=1),
    ]
    meta = DocType("Customer", fields, permissions=rows)

    def names(found: list[Field]) -> list[str]:
        return [one.name for one in found]

    assert names(fields_above(meta, {"Sales User"}, "write")) == ["level"]
    assert names(fields_above(meta, {"Sales User"}, "read")) == []
    assert names(fields_above(meta, {"Sales User", MASTER}, "write")) == []
    assert fields_above(meta, {"Administrator"}, "write") == []
    assert meta.roles_that_may("mask") == ("Accounts User",)
    assert meta.roles_that_may("write", 1) == (MASTER,)

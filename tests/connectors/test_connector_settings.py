"""A connection's settings: changed, tried, and kept from who may not change them."""

from collections.abc import Callable
from typing import Any

from tests.connectors.conftest import Connect, part, typed, wrong
from tests.kit.desk import Desk
from tests.kit.people import Sit

Sql = Callable[..., list[tuple[Any, ...]]]


def kept(sql: Sql, at: str, columns: str) -> tuple[Any, ...]:
    slug = at.rpartition("/")[2]
    return sql(f"SELECT {columns} FROM bascule.connections WHERE slug = %s", [slug])[0]


def settings(site: Any, **values: str) -> dict[str, str]:
    """The form as it is sent by who types no credentials."""
    form = {**typed(site), "api_key": "", "api_secret": "", **values}
    return {name: value for name, value in form.items() if name != "streams"}


def test_settings_are_changed_and_the_credentials_stay(
    admin: Desk, connect: Connect, site: Any, sql: Sql
) -> None:
    at = connect(admin, shared="everybody")
    page = admin.open(f"{at}/settings")
    assert page.status == 200
    user = site.users["hub"]
    assert user.api_secret not in page.html
    assert user.api_key not in page.html
    assert f"ends with {user.api_key[-4:]}" in page.html
    before = kept(sql, at, "api_key_encrypted, api_secret_encrypted, api_url")
    form = settings(site, name="Renamed", lookback_days="30", schedule="hourly", shared="everybody")
    warehouse = site.site.tables.rows("Warehouse", is_group=0)[0]["name"]
    sent = admin.send(f"{at}/settings", **{**form, "warehouse_filter": warehouse})
    assert (sent.status, sent.to) == (303, at)
    assert kept(sql, at, "name, lookback_days, schedule, warehouse_filter") == (
        "Renamed",
        30,
        "hourly",
        [warehouse],
    )
    assert kept(sql, at, "api_key_encrypted, api_secret_encrypted, api_url") == before


def test_wrong_settings_are_said_by_the_field(admin: Desk, connect: Connect, site: Any) -> None:
    at = connect(admin)
    sent = admin.send(f"{at}/settings", **settings(site, max_concurrency="99"))
    assert sent.status == 422
    assert wrong(sent) == {
        "max_concurrency": "Requests at a time is outside of 1 to 16 requests at a time."
    }
    judged = admin.send(f"{at}/settings/validate", **settings(site))
    assert judged.status == 200
    assert wrong(judged) == {}


def test_another_address_wants_its_credentials(
    admin: Desk, connect: Connect, site: Any, sql: Sql
) -> None:
    at = connect(admin)
    elsewhere = site.url.replace("127.0.0.1", "localhost")
    for path in ("/settings", "/settings/test"):
        sent = admin.send(f"{at}{path}", **settings(site, api_url=elsewhere))
        assert sent.status == 422
        assert wrong(sent) == {
            "api_key": "API key has to be given with another address.",
            "api_secret": "API secret has to be given with another address.",
        }
    user = site.users["hub"]
    both = {"api_key": user.api_key, "api_secret": user.api_secret}
    sent = admin.send(f"{at}/settings", **settings(site, api_url=elsewhere, **both))
    assert sent.status == 303
    assert kept(sql, at, "api_url") == (elsewhere,)


def test_what_is_saved_is_tried_and_wrong_credentials_change_nothing(
    admin: Desk, connect: Connect, site: Any, sql: Sql
) -> None:
    at = connect(admin)
    tried = admin.send(f"{at}/settings/test", **settings(site))
    assert tried.status == 200
    assert "hub@example.com" in part(tried, "verdict-said")
    form = settings(site, api_secret="not-the-secret")
    assert "not-the-secret" not in (tried := admin.send(f"{at}/settings/test", **form)).html
    assert "does not know this API key" in part(tried, "verdict-said")
    before = kept(sql, at, "api_secret_encrypted, updated_at")
    assert admin.send(f"{at}/settings", **form).status == 422
    assert kept(sql, at, "api_secret_encrypted, updated_at") == before


def test_editors_leave_the_way_in_of_a_shared_connection_alone(
    sit: Sit, admin: Desk, connect: Connect, site: Any, sql: Sql
) -> None:
    at = connect(admin, shared="everybody")
    editor = sit("editor")
    page = editor.open(f"{at}/settings")
    assert page.text.count("Only an admin may change this of a connection that is shared.") == 6
    form = settings(site, api_url="https://elsewhere.example", shared="me", schedule="weekly")
    assert editor.send(f"{at}/settings", **form).status == 303
    assert kept(sql, at, "api_url, shared, schedule") == (site.url, True, "weekly")
    viewer = sit("viewer")
    assert viewer.open(f"{at}/settings").status == 403
    assert viewer.send(f"{at}/settings", **form).status == 403


def test_who_makes_it_private_has_it(
    sit: Sit, admin: Desk, connect: Connect, site: Any, sql: Sql
) -> None:
    at = connect(sit("admin"), shared="everybody")
    assert admin.send(f"{at}/settings", **settings(site, shared="me")).status == 303
    assert kept(sql, at, "shared, owner_id") == (False, admin.somebody.id)
    assert admin.open(f"{at}/settings").status == 200

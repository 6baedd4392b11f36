"""The form that connects a site: judged as it is filled in, tried, and saved."""

import socket
from collections.abc import Callable
from typing import Any

import pytest

from bascule.sites import check
from bascule.sites.connector import ERPNEXT
from tests.connectors.conftest import part, typed, wrong
from tests.kit.desk import Desk
from tests.kit.people import Sit

NEW = "/connectors/new/erpnext"
Sql = Callable[..., list[tuple[Any, ...]]]


def test_the_form_asks_for_every_field_of_the_type_with_its_help(admin: Desk) -> None:
    page = admin.open(NEW)
    assert page.status == 200
    for each in ERPNEXT.fields:
        assert f'name="{each.name}"' in page.html
        assert each.label in page.text
        assert each.help in page.text
    assert all(step in page.text for step in ERPNEXT.steps)
    assert "every 15 minutes" in page.html
    assert "Stock Ledger Entry" in page.text


def test_what_is_wrong_is_said_by_the_field_and_what_was_typed_stays(
    admin: Desk, site: Any
) -> None:
    form = typed(site, api_url="ftp://x", lookback_days="many", api_secret="s3cret-that-I-typed")
    sent = admin.send(NEW, **form)
    assert sent.status == 422
    assert wrong(sent) == {
        "api_url": "ERPNext URL starts with ftp://; a site's begins with https://.",
        "lookback_days": "Lookback is not a whole number of days.",
    }
    assert 'value="ftp://x"' in sent.html
    assert 'value="many"' in sent.html
    assert form["name"] in sent.html
    assert "s3cret-that-I-typed" not in sent.html


def test_a_field_is_judged_when_it_is_left_and_the_journal_is_not_filled_with_that(
    admin: Desk, sql: Sql
) -> None:
    page = admin.send(f"{NEW}/validate", api_url="https://erp.acme.com:0")
    assert page.status == 200
    assert "no usable host name" in wrong(page)["api_url"]
    assert "api_url" not in wrong(admin.send(f"{NEW}/validate", api_url="erp.acme.com/app"))
    judged = "SELECT count(*) FROM bascule.audit WHERE action = 'validate_new_connector'"
    assert sql(judged) == [(0,)]


def test_a_test_says_who_the_hub_is_there_and_lists_what_the_site_has(
    admin: Desk, site: Any, sql: Sql
) -> None:
    before = sql("SELECT count(*) FROM bascule.connections")
    page = admin.send(f"{NEW}/test", **typed(site, streams="orders\nProject\nNo Such Type"))
    assert page.status == 200
    said = part(page, "verdict-said")
    assert "hub@example.com" in said
    assert "15." in said
    assert "Europe/Amsterdam" in said
    assert "The site has no DocType No Such Type" in said
    assert "Suppliers not chosen" in said
    warehouse = site.site.tables.rows("Warehouse", is_group=0)[0]["name"]
    assert f'name="warehouse_filter" value="{warehouse}"' in page.html
    assert '<option value="Project">' in page.html
    assert typed(site)["api_secret"] not in page.html
    assert sql("SELECT count(*) FROM bascule.connections") == before


def test_a_limited_user_is_told_which_roles_would_help(admin: Desk, site: Any) -> None:
    said = part(admin.send(f"{NEW}/test", **typed(site, "readonly")), "verdict-said")
    assert "Item Price" in said
    assert "Roles are missing" in said
    assert "Stock User reads Warehouse" in said


def test_a_site_that_says_no_or_is_none_is_told_apart(admin: Desk, site: Any) -> None:
    hub = admin.visitor.url
    for values, words in (
        ({"api_secret": "not-the-secret"}, "does not know this API key with this secret"),
        ({"api_url": "http://127.0.0.1:9"}, "connection refused"),
        ({"api_url": hub}, "not as a Frappe site does"),
        ({"api_url": site.url.replace("http:", "https:")}, "No secure connection"),
    ):
        page = admin.send(f"{NEW}/test", **typed(site, **values))
        assert page.status == 200
        assert words in part(page, "verdict-said")


def test_saving_connects_with_what_was_chosen_and_starts_to_pull(
    admin: Desk, site: Any, sql: Sql
) -> None:
    values = {"include_disabled": "on", "schedule": "every 15 minutes", "shared": "everybody"}
    form = typed(site, streams="suppliers\nProject", **values)
    sent = admin.send(NEW, **form)
    assert sent.status == 303
    slug = sent.to.rpartition("/")[2]
    saved = sql(
        "SELECT id, name, schedule, include_disabled, shared, sync_orders"
        " FROM bascule.connections WHERE slug = %s",
        [slug],
    )
    assert saved[0][1:] == (form["name"], "every 15 minutes", True, True, False)
    started = sql(
        "SELECT s.doctype, r.trigger FROM bascule.runs r JOIN bascule.streams s"
        " ON s.id = r.stream_id WHERE r.connection_id = %s ORDER BY 1",
        [saved[0][0]],
    )
    assert started == [("Project", "page"), ("Supplier", "page")]


def test_a_frequency_with_an_hour_and_a_zone_is_kept_and_shown_again(
    admin: Desk, site: Any, sql: Sql
) -> None:
    chosen = ["weekly", "06:30", "europe/amsterdam"]
    page = admin.send(f"{NEW}/validate", **{**typed(site), "schedule": ["daily", "06:30", "Mars"]})
    assert "Frequency names mars, which is no time zone" in page.text
    sent = admin.send(NEW, **{**typed(site, streams="suppliers"), "schedule": chosen})
    assert sent.status == 303
    slug = sent.to.rpartition("/")[2]
    saved = sql("SELECT schedule FROM bascule.connections WHERE slug = %s", [slug])
    assert saved == [("weekly at 06:30 Europe/Amsterdam",)]
    page = admin.open(sent.to)
    assert "Weekly at 06:30 Europe/Amsterdam" in page.text
    assert f'href="{sent.to}/webhooks#set-up"' in page.html
    settings = admin.open(f"{sent.to}/settings").html
    assert '<option value="weekly" selected>' in settings
    assert 'name="schedule" value="06:30"' in settings
    assert 'name="schedule" value="Europe/Amsterdam"' in settings


def test_what_may_not_be_read_is_left_off_and_tried_again_with_a_click(
    admin: Desk, site: Any
) -> None:
    form = typed(site, "readonly", streams="suppliers\npurchase_orders", schedule="manual")
    sent = admin.send(NEW, **form)
    assert sent.status == 303
    page = admin.open(sent.to)
    assert "Left off: Purchase Order." in page.text
    assert f'action="{sent.to}/left-off"' in page.html
    assert "Failed" not in page.text
    assert admin.send(f"{sent.to}/left-off").status == 303
    assert "Left off: Purchase Order." in admin.open(sent.to).text
    way_in = {"api_key": site.api_key, "api_secret": site.api_secret}
    assert admin.visitor.ask("PATCH", f"/api{sent.to}", way_in).status == 200
    assert admin.send(f"{sent.to}/left-off").status == 303
    assert "Left off" not in admin.open(sent.to).text
    assert "Purchase Order" in admin.open(sent.to).text


def test_a_site_that_refuses_is_not_saved(admin: Desk, site: Any, sql: Sql) -> None:
    form = typed(site, api_secret="not-the-secret")
    sent = admin.send(NEW, **form)
    assert sent.status == 422
    assert "does not know this API key" in part(sent, "outcome-said")
    assert form["name"] in sent.html
    assert not sql("SELECT 1 FROM bascule.connections WHERE name = %s", [form["name"]])


def test_htmx_is_told_to_leave_after_a_save(admin: Desk, site: Any) -> None:
    visitor = admin.visitor
    saved = visitor.ask("POST", NEW, form=typed(site), headers={"HX-Request": "true"})
    assert saved.status == 200
    assert saved.headers["hx-redirect"].startswith("/connectors/acme_")


def test_editors_connect_for_themselves_alone(sit: Sit, site: Any, sql: Sql) -> None:
    editor = sit("editor")
    page = editor.open(NEW)
    assert "Only an admin may share a connection with everybody." in page.text
    assert editor.send(NEW, **typed(site, shared="everybody")).status == 403
    form = typed(site)
    assert editor.send(NEW, **form).status == 303
    kept = sql("SELECT shared, owner_id FROM bascule.connections WHERE name = %s", [form["name"]])
    assert kept == [(False, editor.somebody.id)]


def test_a_form_of_another_page_connects_nothing(admin: Desk, site: Any) -> None:
    assert admin.send(NEW, csrf="", **typed(site)).status == 403
    assert admin.send(f"{NEW}/test", csrf="x", **typed(site)).status == 403


def test_a_site_that_keeps_silent_is_not_waited_for_long(
    admin: Desk, site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "FIRST_ANSWER", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        at = f"http://127.0.0.1:{silent.getsockname()[1]}"
        page = admin.send(f"{NEW}/test", **typed(site, api_url=at))
    assert page.status == 200
    assert "did not answer in time" in part(page, "verdict-said")

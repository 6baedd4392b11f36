"""Each verb against a connected site, as a person and as a machine would use it."""

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.kit.command import Bascule, change, way_in


@pytest.mark.parametrize(
    "arguments",
    [
        ("status",),
        ("status", "shop"),
        ("streams",),
        ("logs",),
        ("logs", "--connection", "shop"),
        ("logs", "1"),
        ("logs", "1", "--follow"),
        ("sync", "--quiet"),
        ("sync", "shop", "--stream", "suppliers"),
        ("verify", "--stream", "inventory"),
        ("check", "shop"),
        ("token",),
        ("doctor",),
    ],
)
def test_every_verb_answers_machines_with_one_document(
    bascule: Bascule, arguments: tuple[str, ...]
) -> None:
    said = bascule(*arguments, "--json")
    assert said.code == 0, said
    assert said.json


def test_people_see_how_things_stand(bascule: Bascule) -> None:
    said = bascule("status")
    assert said.code == 0
    assert "The Shop (shop)" in said.out
    assert "Sales Order" in said.out
    streams = bascule("streams")
    assert "shop.sales_order" in streams.out
    assert "purchase_orders" in streams.out


def test_a_sync_brings_what_changed_and_says_what_it_did(bascule: Bascule, site: Any) -> None:
    change(site, "POST", "Supplier", {"supplier_name": "Zadelmakerij"})
    said = bascule("sync", "--stream", "Supplier", "--json")
    assert said.code == 0, said
    (run,) = said.json["runs"]
    assert (run["connection"], run["doctype"], run["outcome"]) == ("shop", "Supplier", "done")
    assert run["rows_changed"] >= 1
    compared = r"by (checksum|count and time), (just now|\d+ \w+ ago)"
    assert re.search(compared, bascule("status").out)
    rows = bascule("export", "suppliers", "-f", "jsonl", "-w", "supplier_id=Zadelmakerij")
    assert json.loads(rows.out)["supplier_name"] == "Zadelmakerij"
    again = bascule("sync", "--stream", "Supplier", "--full")
    assert again.code == 0
    assert "Supplier" in again.out
    assert "Supplier: done" in again.err


def test_a_verify_proves_finds_and_mends(bascule: Bascule, site: Any) -> None:
    said = bascule("verify", "--stream", "Supplier", "--json")
    assert (said.code, said.json["equal"]) == (0, True)
    name = change(site, "GET", "Supplier?limit_page_length=1")["data"][0]["name"]
    table = "update shop.supplier set modified = modified - interval '1 day' where name = "
    quoted = name.replace("'", "''")
    writing = ("--as-hub", "-c", "set default_transaction_read_only = off")
    assert bascule("psql", *writing, "-c", f"{table}'{quoted}'").code == 0
    found = bascule("verify", "--stream", "Supplier")
    assert found.code == 1
    assert "stale" in found.out
    assert name in found.out
    assert "verify --repair" in found.out
    assert bascule("verify", "--stream", "Supplier", "--repair").code == 0
    assert bascule("verify", "--stream", "Supplier").code == 0


def test_a_check_reads_a_little_of_what_is_asked_for(bascule: Bascule, site: Any) -> None:
    said = bascule("check", "--only", "orders", "--only", "suppliers", "--json", **way_in(site))
    assert said.code == 0, said.err
    assert said.json["user"] == "hub@example.com"
    assert [one["doctype"] for one in said.json["samples"]] == ["Sales Order", "Supplier"]
    assert all(one["count"] > 0 and one["fields"] > 10 for one in said.json["samples"])


def test_a_check_shows_the_sql_that_the_site_runs_for_it(bascule: Bascule, site: Any) -> None:
    check = bascule("check", "--only", "Supplier", "--debug", "--json", **way_in(site))
    assert check.code == 0, check
    statements = check.json["executed"]
    assert any("from `tabSupplier`" in one["sql"] for one in statements), statements
    assert all(one["seconds"] is not None for one in statements)
    said = bascule("check", "--only", "Supplier", "--debug", **way_in(site))
    assert "select count(name) as total from `tabSupplier`" in said.out
    without = bascule("check", "--only", "Supplier", "--json", **way_in(site))
    assert "executed" not in without.json


def test_a_check_of_a_user_who_may_read_little_says_what_is_missing(
    bascule: Bascule, site: Any
) -> None:
    reader = site.users["readonly"]
    credentials = way_in(site) | {
        "BASCULE_SITE_KEY": reader.api_key,
        "BASCULE_SITE_SECRET": reader.api_secret,
    }
    said = bascule("check", "--only", "inventory", **credentials)
    assert said.code == 3
    assert "Item Price" in said.out
    assert "Item Price" in said.err
    assert bascule("check", "--only", "suppliers", **credentials).code == 0


def test_a_check_of_a_saved_connection_reads_what_it_mirrors(bascule: Bascule) -> None:
    for switch in ("off", "on"):
        assert bascule("streams", switch, "stock_movements").code == 0
        said = bascule("check", "shop", "--json")
        mirrored = [s["doctype"] for s in bascule("streams", "--json").json["shop"] if s["enabled"]]
        assert [one["doctype"] for one in said.json["samples"]] == mirrored
    assert "Stock Entry" in mirrored


def test_debugging_shows_each_request_to_the_site_and_no_credentials(
    bascule: Bascule, site: Any
) -> None:
    for words in (("check", "--only", "suppliers"), ("sync", "--stream", "Supplier")):
        said = bascule(*words, "--json", **way_in(site), BASCULE_LOG_LEVEL="DEBUG")
        assert said.json["ok"] is True
        assert "/api/method/frappe." in said.err
        assert " 200, " in said.err
        assert site.api_secret not in said.err
        assert site.api_key not in said.err
    assert "/api/" not in bascule("sync", "--stream", "Supplier").err


def test_a_check_tries_itself_on_a_sandbox(bascule: Bascule) -> None:
    said = bascule("check", "--mock", "--only", "inventory")
    assert said.code == 0, said.err
    assert "Signed in as hub@example.com" in said.out


def test_logs_tell_what_a_run_said(bascule: Bascule) -> None:
    runs = bascule("logs", "--json").json["runs"]
    newest = str(runs[0]["id"])
    assert newest in bascule("logs").out
    said = bascule("logs", newest, "--json").json
    assert said["run"]["id"] == runs[0]["id"]
    assert said["lines"]
    assert said["lines"][0]["message"] in bascule("logs", newest).out


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl", "rows.parquet"])
def test_an_export_writes_a_file_of_each_format(
    bascule: Bascule, tmp_path: Path, name: str
) -> None:
    target = tmp_path / name
    said = bascule("export", "inventory", "-o", str(target), "--json")
    assert said.code == 0, said.err
    assert said.json["bytes"] == target.stat().st_size
    assert said.json["rows"] > 100


def test_an_export_to_stdout_filters_sorts_and_chooses(bascule: Bascule) -> None:
    said = bascule(
        *("export", "inventory", "--where", "needs_reorder=true", "--sort", "-stock_qty"),
        *("--column", "item_code", "--column", "stock_qty"),
    )
    rows = list(csv.DictReader(io.StringIO(said.out)))
    assert rows
    assert list(rows[0]) == ["item_code", "stock_qty"]
    amounts = [float(row["stock_qty"]) for row in rows]
    assert amounts == sorted(amounts, reverse=True)


def test_streams_are_added_switched_filtered_and_trimmed(bascule: Bascule) -> None:
    added = bascule("streams", "add", "Warehouse", "--json")
    assert added.code == 0, added.err
    assert added.json["shop"][0]["doctype"] == "Warehouse"
    assert bascule("streams", "off", "Warehouse", "--json").json["shop"][0]["enabled"] is False
    assert bascule("streams", "on", "Warehouse", "--json").json["shop"][0]["enabled"] is True
    filtered = bascule("streams", "filter", "Warehouse", "is_group=0", "--json")
    assert filtered.json["shop"][0]["filters"] == [["is_group", "=", "0"]]
    listed = bascule("streams", "filter", "Warehouse", '["is_group", "=", 0]', "--json")
    assert listed.json["shop"][0]["filters"] == [["is_group", "=", 0]]
    assert bascule("streams", "omit", "Warehouse", "email_id").code == 0
    renamed = bascule("streams", "rename", "Warehouse", "warehouse_name=title", "--json")
    assert renamed.json["shop"][0]["rename"] == {"warehouse_name": "title"}
    assert bascule("sync", "--stream", "Warehouse").code == 0
    rows = [
        json.loads(line) for line in bascule("export", "warehouse", "-f", "jsonl").out.splitlines()
    ]
    assert rows
    assert all("title" in row and "email_id" not in row for row in rows)
    assert all(row["is_group"] == 0 for row in rows)
    removed = bascule("streams", "remove", "Warehouse", "--yes")
    assert removed.code == 0, removed.err
    assert bascule("export", "warehouse").code == 2


def test_psql_finds_the_tables_and_passes_everything_else_on(bascule: Bascule) -> None:
    said = bascule("psql", "-At", "-c", "select count(*) > 100 from inventory")
    assert (said.code, said.out.strip()) == (0, "t"), said.err
    assert bascule("psql", "-c", "select nonsense").code == 1


def test_a_token_is_alone_on_stdout(bascule: Bascule) -> None:
    said = bascule("token", "--name", "a script")
    assert said.out.startswith("bsc_")
    assert len(said.out.split()) == 1


def test_a_doctor_finds_a_key_that_others_can_read(bascule: Bascule) -> None:
    said = bascule("doctor")
    assert said.code == 0, said.out
    assert "signed in as hub@example.com" in said.out
    key = bascule.data_dir / "secret.key"
    before = key.stat().st_mode
    key.chmod(0o644)
    try:
        said = bascule("doctor")
        assert said.code == 1
        assert "chmod 600" in said.out
    finally:
        key.chmod(before)


def test_a_disconnected_site_is_gone_with_its_tables(bascule: Bascule, site: Any) -> None:
    arguments = ("connect", "--name", "Second", "--slug", "second", "--no-sync", "--json")
    said = bascule(*arguments, **way_in(site))
    assert said.code == 0, said.err
    assert said.json["runs"] == []
    assert way_in(site)["BASCULE_SITE_SECRET"] not in said.out
    gone = bascule("disconnect", "second", "--yes", "--json")
    assert gone.code == 0
    assert gone.json["slug"] == "second"
    assert bascule("status", "second").code == 2


def test_what_the_hub_made_on_a_site_is_listed_before_and_removed_with_the_connection(
    bascule: Bascule, site: Any
) -> None:
    def connected(slug: str) -> None:
        arguments = ("connect", "--name", slug, "--slug", slug, "--no-sync", "--quiet")
        assert bascule(*arguments, **way_in(site)).code == 0
        said = bascule("webhooks", "set-up", "--connection", slug, "--doctype", "Customer")
        assert said.code == 0, said.err

    connected("leaves")
    asked = bascule("disconnect", "leaves")
    assert asked.code == 2
    assert "To be removed from the site: 4 webhooks." in asked.err
    kept = bascule("disconnect", "leaves", "--keep-on-site", "--yes")
    assert "Left on the site: 4 webhooks." in kept.out
    found = next(
        one
        for one in bascule("doctor", "--json").json["findings"]
        if one["what"] == "Webhooks at shop"
    )
    assert found["found"].startswith("4 lead here and belong to no connection")
    assert bascule("webhooks", "clear", "--connection", "shop").code == 2
    cleared = bascule("webhooks", "clear", "--connection", "shop", "--yes", "--json")
    assert len(cleared.json["removed"]) == 4

    connected("away")
    site.faults.add("maintenance")
    gone = bascule("disconnect", "away", "--yes", "--json").json
    assert gone["cleanup"]["remains"] == ["4 webhooks"]
    site.faults.clear()
    [left] = bascule("cleanups", "--json").json["cleanups"]
    tried = bascule("cleanups", "retry", str(left["id"]), "--json")
    assert (tried.code, len(tried.json["removed"])) == (0, 4)
    assert "Nothing is left on a site." in bascule("cleanups").out


def test_a_connection_is_changed_and_keeps_what_is_not_named(bascule: Bascule, site: Any) -> None:
    arguments = ("connect", "--name", "Third", "--slug", "third", "--no-sync", "--json")
    before = bascule(*arguments, **way_in(site)).json["connection"]
    # Variables that are set for another verb change nothing unasked. Minutes, as the next full hour
    # may be the one that was planned already.
    said = bascule(
        *("change", "third", "--schedule", "every 7 minutes", "--lookback-days", "180"),
        *("--no-suppliers", "--warehouse", "Shop Groningen - DSR", "--include-disabled", "--json"),
        BASCULE_SITE_KEY="other-key",
        BASCULE_SITE_SECRET="other-secret",
    )
    assert said.code == 0, said.err
    changed = {name for name in before if said.json[name] != before[name]}
    assert changed == {
        *("schedule", "next_sync_at", "updated_at", "lookback_days"),
        *("sync_suppliers", "warehouse_filter", "include_disabled"),
    }
    off = [s["doctype"] for s in bascule("streams", "--json").json["third"] if not s["enabled"]]
    assert off == ["Supplier"]
    everywhere = bascule("change", "third", "--all-warehouses", "--json")
    assert everywhere.json["warehouse_filter"] == []
    assert bascule("change", "third").code == 2
    assert bascule("disconnect", "third", "--yes").code == 0


def test_a_warehouse_that_brings_no_stock_is_told_with_what_to_name_instead(
    bascule: Bascule, site: Any
) -> None:
    warehouses = ("Shop Groningen", "All Warehouses - DSR", "shop oudegracht - dsr", "Elsewhere")
    named = [word for name in warehouses for word in ("--warehouse", name)]
    arguments = ("connect", "--name", "Fifth", "--slug", "fifth", "--no-sync", *named)
    said = bascule(*arguments, **way_in(site))
    assert said.code == 0
    assert "no warehouse 'Shop Groningen'" in said.err
    assert "Name Shop Groningen - DSR instead" in said.err
    assert "'All Warehouses - DSR' is a group" in said.err
    assert "no warehouse 'Elsewhere'" in said.err
    assert "oudegracht - dsr'" not in said.err
    checked = bascule("check", "fifth", "--only", "inventory", "--json")
    assert (checked.code, len(checked.json["problems"])) == (3, 3)
    assert bascule("check", "fifth", "--only", "orders").code == 0
    renamed = bascule("change", "fifth", "--warehouse", "Workshop", "--max-concurrency", "2")
    assert "Name Workshop - DSR instead" in renamed.err
    assert renamed.code == 0
    assert bascule("change", "fifth", *named).code == 0
    assert bascule("sync", "fifth", "--stream", "Bin").code == 0
    (run,) = bascule("logs", "--connection", "fifth", "--limit", "1", "--json").json["runs"]
    warned = [e["message"] for e in bascule("logs", str(run["id"]), "--json").json["lines"]]
    assert any("no warehouse 'Shop Groningen'" in message for message in warned)
    assert bascule("disconnect", "fifth", "--yes").code == 0


def test_presets_are_chosen_and_what_may_not_be_read_is_left_off(
    bascule: Bascule, site: Any
) -> None:
    reader = site.users["readonly"]
    given = {
        **way_in(site),
        "BASCULE_SITE_KEY": reader.api_key,
        "BASCULE_SITE_SECRET": reader.api_secret,
    }
    chosen = ("--no-inventory", "--no-orders", "--no-customers", "--no-stock-movements")
    said = bascule("connect", "--name", "Sixth", "--slug", "sixth", *chosen, **given)
    assert said.code == 0, said.err
    assert "may not read it: Purchase Order." in said.err
    assert said.err.count("Purchase Order") == 1
    listed = bascule("streams", "--connection", "sixth")
    assert "sixth: left off, as they may not be read: Purchase Order" in listed.out
    assert [s["doctype"] for s in bascule("streams", "--json").json["sixth"]] == ["Supplier"]
    again = bascule("streams", "try-again", "--connection", "sixth", "--json")
    assert (again.code, again.json["left_off"]) == (3, ["Purchase Order"])
    assert bascule("disconnect", "sixth", "--yes").code == 0


def test_other_credentials_are_tried_before_they_are_saved(bascule: Bascule, site: Any) -> None:
    reader = site.users["readonly"]
    arguments = ("connect", "--name", "Fourth", "--slug", "fourth", "--no-sync", "--json")
    assert bascule(*arguments, **way_in(site)).code == 0
    given = {"BASCULE_SITE_KEY": reader.api_key, "BASCULE_SITE_SECRET": "wrong-secret"}
    refused = bascule("change", "fourth", "--credentials", **given)
    assert refused.code == 3
    assert "wrong-secret" not in refused.out + refused.err
    assert bascule("check", "fourth", "--json").json["user"] == "hub@example.com"
    given["BASCULE_SITE_SECRET"] = reader.api_secret
    said = bascule("change", "fourth", "--credentials", "--json", **given)
    assert (said.code, said.json["site_user"]) == (0, "readonly@example.com")
    assert bascule("disconnect", "fourth", "--yes").code == 0


def test_who_syncs_by_hand_is_told_how_and_not_that_it_happens_by_itself(
    bascule: Bascule, site: Any
) -> None:
    few = ("--no-inventory", "--no-orders", "--no-suppliers", "--schedule", "manual")
    said = bascule("connect", "--name", "Sixth", "--slug", "sixth", *few, **way_in(site))
    assert said.code == 0, said.err
    assert "Saved as sixth, synced when you say so" in said.out
    assert "bascule sync" in said.out
    assert "bascule up" not in said.out
    assert bascule("disconnect", "sixth", "--yes").code == 0

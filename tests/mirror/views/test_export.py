"""Exports, read back; and what is left when one cannot be finished."""

import asyncio
import csv
import json
import os
import resource
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import aclosing
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bascule.data.export import FORMATS, ExportFailed, export_rows, export_to_file
from bascule.data.rows import BadQuery, page_of_rows
from bascule.mirror.views import VIEWS
from tests.mirror.views.conftest import Site

NAMES = ['O\'Neil "Oak"', "two\nlines\r\nand, a comma", "倉庫 🚀 é", "back\\slash \\. \t tab", ""]


@pytest.fixture
async def orders(mirror: Site) -> Site:
    await mirror.rebuild()
    await mirror.add(
        "Sales Order",
        *(
            {
                "name": f"SO-{number}",
                "customer_name": name,
                "transaction_date": "2026-03-05",
                "grand_total": "12345678901234.123456789",
                "modified": "2026-03-05 10:11:12.000013",
                "docstatus": 1,
            }
            for number, name in enumerate(NAMES)
        ),
        {"name": "SO-9", "docstatus": 0},
    )
    return mirror


async def export(site: Any, relation: str, path: Path, **asked: Any) -> Any:
    return await export_to_file(site.db, site.schema, relation, path, **asked)


async def many(site: Any, count: int) -> None:
    await site.rebuild()
    await site.run(
        "insert into {s}.sales_order (name, customer_name, docstatus) "
        f"select 'SO-' || g, repeat('x', 200), 1 from generate_series(1, {count}) g"
    )


async def test_csv_read_back_is_what_the_view_holds(orders: Site, tmp_path: Path) -> None:
    done = await export(orders, "sales_orders", tmp_path / "o.csv", sort="order_id")
    content = (tmp_path / "o.csv").read_bytes()
    with (tmp_path / "o.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["customer_name"] for row in rows] == [*NAMES, ""]
    assert list(rows[0]) == list((await orders.rows("sales_orders"))[0])
    assert rows[0]["order_date"] == "2026-03-05"
    assert rows[0]["total_amount"] == "12345678901234.123456789"
    assert (rows[0]["is_pending"], rows[5]["is_pending"]) == ("true", "false")
    assert (done.rows, done.bytes) == (6, len(content))
    # An empty text and no value at all can be told apart.
    assert b'SO-4,"",' in content
    assert b"SO-9,,," in content


async def test_json_lines_read_back_are_what_the_view_holds(orders: Site, tmp_path: Path) -> None:
    done = await export(orders, "sales_orders", tmp_path / "o.jsonl", sort="order_id")
    lines = (tmp_path / "o.jsonl").read_text(encoding="utf-8").split("\n")
    rows = [json.loads(line, parse_float=Decimal) for line in lines[:-1]]
    assert [row["customer_name"] for row in rows] == [*NAMES, None]
    assert rows[0]["total_amount"] == Decimal("12345678901234.123456789")
    assert (rows[0]["order_date"], rows[0]["is_pending"]) == ("2026-03-05", True)
    assert done.rows == 6


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("view", VIEWS)
async def test_every_view_leaves_in_every_format_whatever_its_columns_are_named(
    orders: Site, tmp_path: Path, view: str, format: str
) -> None:
    done = await export(orders, view, tmp_path / f"all.{format}")
    shown = await page_of_rows(orders.db, orders.schema, view, limit=500)
    assert done.rows == len(shown.rows)


async def test_parquet_read_back_has_the_views_values_and_proper_types(
    orders: Site, tmp_path: Path
) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    done = await export(orders, "sales_orders", tmp_path / "o.parquet", sort="order_id")
    table = pq.read_table(tmp_path / "o.parquet")
    rows = table.to_pylist()
    assert [row["customer_name"] for row in rows] == [*NAMES, None]
    assert rows[0]["total_amount"] == Decimal("12345678901234.123456789")
    assert rows[0]["order_date"] == date(2026, 3, 5)
    assert (rows[0]["is_pending"], rows[5]["total_amount"]) == (True, None)
    assert done.rows == 6
    await export(orders, "sales_order", tmp_path / "t.parquet", columns=["modified", "docstatus"])
    schema = pq.read_schema(tmp_path / "t.parquet")
    assert [str(field.type) for field in schema] == ["timestamp[us]", "int16"]
    moved = pq.read_table(tmp_path / "t.parquet").to_pylist()[0]["modified"]
    assert moved == datetime(2026, 3, 5, 10, 11, 12, 13)


@pytest.mark.parametrize("format", FORMATS)
async def test_an_export_without_rows_is_still_a_file_of_its_format(
    mirror: Site, tmp_path: Path, format: str
) -> None:
    await mirror.rebuild()
    path = tmp_path / "empty"
    assert (await export(mirror, "suppliers", path, format=format)).rows == 0
    if format == "csv":
        assert path.read_text().startswith("supplier_id,supplier_name,")
    elif format == "jsonl":
        assert path.read_bytes() == b""
    else:
        pq = pytest.importorskip("pyarrow.parquet")
        assert pq.read_table(path).column_names[0] == "supplier_id"


async def test_exports_are_filtered_sorted_and_cut_to_columns(orders: Site, tmp_path: Path) -> None:
    await export(
        orders,
        "sales_orders",
        tmp_path / "o.csv",
        where={"order_id__in": "SO-1,SO-3,SO-9", "is_pending": "true"},
        sort="-order_id",
        columns=["order_id", "is_pending"],
    )
    assert (tmp_path / "o.csv").read_text() == "order_id,is_pending\nSO-3,true\nSO-1,true\n"


FORMULAS = ["=1+1", "@SUM(A1)", "\tx", "+cmd|' /C calc'!A0", "-2+cmd|x", '=HYPERLINK("http://x")']
FORMULAS += ["\n=1+1", "\r=1+1", " \t =1+1", "\u3000\u200b\ufeff=1+1", "\xa0+1+1", "\ntext"]
FORMULAS += ["＝1+1", "＋1+1", "－1+1", "＠SUM(A1)", "−1+1", "﹦1+1"]
FORMULAS += ["+1-800-555-0199", "-5-3", "+31 6 1234-5678", "-(5)", "-5%-3", "+A1", "-5\n", "--5"]
HARMLESS = ["-5", "+5", "-", "+", "-1.234,56", "+1,234.5", "-1e-5", "+31612345678"]
HARMLESS += ["a=b", "'quoted", "1+1", "1-800-555-0199", "x\n=1"]


async def test_text_that_a_spreadsheet_would_run_is_disarmed_in_csv(
    mirror: Site, tmp_path: Path
) -> None:
    await mirror.rebuild()
    for number, name in enumerate([*FORMULAS, *HARMLESS]):
        await mirror.add("Supplier", {"name": f"{number:02}", "supplier_name": name})
    for exact in (False, True):
        await export(mirror, "suppliers", tmp_path / "s.csv", sort="supplier_id", exact=exact)
        with (tmp_path / "s.csv").open(newline="", encoding="utf-8") as file:
            names = [row["supplier_name"] for row in csv.DictReader(file)]
        mark = "" if exact else "'"
        assert names == [*(mark + formula for formula in FORMULAS), *HARMLESS]
    await export(mirror, "suppliers", tmp_path / "s.jsonl", sort="supplier_id")
    first = json.loads((tmp_path / "s.jsonl").read_text().splitlines()[0])
    assert first["supplier_name"] == "=1+1"


@pytest.mark.parametrize("asked", [{"format": "xlsx"}, {"sort": "colour"}, {"where": {"x": "1"}}])
async def test_a_bad_question_leaves_no_file(orders: Site, tmp_path: Path, asked: Any) -> None:
    with pytest.raises(BadQuery):
        await export(orders, "sales_orders", tmp_path / "o.csv", **asked)
    assert list(tmp_path.iterdir()) == []


async def test_a_number_too_large_for_parquet_names_its_column_and_leaves_no_file(
    orders: Site, tmp_path: Path
) -> None:
    await orders.run("update {s}.sales_order set net_total = 1e35 where name = 'SO-3'")
    with pytest.raises(ExportFailed, match="net_amount") as failed:
        await export(orders, "sales_orders", tmp_path / "o.parquet")
    assert "jsonl" in failed.value.next_step
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Any]:
    """A disk of 1 MB, where this user may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs root; the limit on file sizes is tested instead")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("format", ["csv", "jsonl"])
async def test_a_full_disk_leaves_the_old_file_and_says_what_to_do(
    mirror: Site, small_disk: Any, format: str
) -> None:
    await many(mirror, 20_000)
    target = small_disk / "orders"
    target.write_text("last week's")
    with pytest.raises(ExportFailed, match="disk is full") as failed:
        await export(mirror, "sales_orders", target, format=format)
    assert "Free some space" in failed.value.next_step
    assert [(p.name, p.read_text()) for p in small_disk.iterdir()] == [("orders", "last week's")]


async def test_a_limit_on_file_sizes_leaves_no_half_file(
    mirror: Site, database_url: str, tmp_path: Path
) -> None:
    """In a process of its own: the limit is the process's."""
    await many(mirror, 20_000)
    script = f"""
        import asyncio, resource
        from pathlib import Path
        from psycopg_pool import AsyncConnectionPool
        from bascule.data.export import ExportFailed, export_to_file

        async def main():
            async with AsyncConnectionPool({database_url!r}, min_size=1, open=False) as db:
                resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
                try:
                    await export_to_file(db, {mirror.schema!r}, "sales_orders", Path("o.csv"))
                except ExportFailed as failed:
                    print(failed, failed.next_step)

        asyncio.run(main())
    """
    ran = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "larger than is allowed" in ran.stdout
    assert list(tmp_path.iterdir()) == []


async def test_a_device_without_room_is_told_as_such(orders: Site) -> None:
    with pytest.raises(ExportFailed, match="disk is full"):
        await export(orders, "sales_orders", Path("/dev/full"), format="csv")
    assert Path("/dev/full").is_char_device()


async def test_a_reader_that_goes_away_ends_the_export_with_clear_words(
    mirror: Site, tmp_path: Path
) -> None:
    await many(mirror, 20_000)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def read_a_little() -> None:
        with pipe.open("rb") as reader:
            reader.read(1000)

    reader = threading.Thread(target=read_a_little)
    reader.start()
    with pytest.raises(ExportFailed, match="reader went away"):
        await export(mirror, "sales_orders", pipe, format="csv")
    reader.join()
    assert pipe.is_fifo()


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("nowhere/o.csv", "folder is not there"),
        ("file/o.csv", "folder is a file"),
        (".", "is a folder"),
    ],
)
async def test_a_place_that_cannot_be_written_is_told_why(
    orders: Site, tmp_path: Path, place: str, why: str
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportFailed, match=why) as failed:
        await export(orders, "sales_orders", tmp_path / place, format="csv")
    assert failed.value.next_step


async def test_an_export_that_is_stopped_leaves_nothing_and_frees_its_connection(
    mirror: Site, tmp_path: Path
) -> None:
    await many(mirror, 20_000)
    for format in FORMATS:
        pieces = export_rows(mirror.db, mirror.schema, "sales_orders", format=format)
        async with aclosing(pieces):
            async for _ in pieces:
                break
        assert len(await mirror.rows("sales_orders", order_id="SO-7")) == 1
    pipe = tmp_path / "o.csv"
    export_task = asyncio.create_task(export(mirror, "sales_orders", pipe))
    await asyncio.sleep(0.05)
    export_task.cancel()
    await asyncio.gather(export_task, return_exceptions=True)
    assert not [path for path in tmp_path.iterdir() if path.suffix == ".part"]
    assert len(await mirror.rows("sales_orders", order_id="SO-7")) == 1


async def test_a_file_gets_the_permissions_that_new_files_have(
    orders: Site, tmp_path: Path
) -> None:
    await export(orders, "sales_orders", tmp_path / "o.csv")
    (tmp_path / "plain").write_text("")
    assert (tmp_path / "o.csv").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_arrow_is_not_loaded_before_somebody_asks_for_parquet() -> None:
    script = "import sys, bascule.data.export; print('pyarrow' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


async def test_memory_does_not_grow_with_the_rows(mirror: Site, tmp_path: Path) -> None:
    await many(mirror, 200_000)
    await export(mirror, "sales_orders", tmp_path / "o.csv", where={"order_id": "SO-1"})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for format in ("csv", "jsonl"):
        done = await export(mirror, "sales_orders", tmp_path / "o", format=format)
        assert done.bytes > 40_000_000
    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kb < 20_000

"""What the demo shows: counts, what to reorder, last month's sales, and the ways in."""

import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from bascule.cli.demo.admin import Admin
from bascule.cli.demo.site import Site
from bascule.cli.terminal import escape, out, show, sparkline, table
from bascule.data.rows import page_of_rows
from bascule.hub import Hub


@dataclass(frozen=True, slots=True)
class Arrived:
    """`counts`: DocType -> live rows. `short`: how many items are to be reordered; `reorder`: some
    of them. `sales`: a row a week of last month, oldest first, as ERPNext adds them up: net of tax,
    in the company's `currency`.
    """

    counts: dict[str, int]
    short: int
    reorder: list[dict[str, Any]]
    month: date
    currency: str
    sales: list[dict[str, Any]]


async def arrived(hub: Hub, schema: str, today: date) -> Arrived:
    """Everything from the mirror's own views."""
    first = (today.replace(day=1) - timedelta(days=1)).replace(day=1)
    reorder = await page_of_rows(
        hub.db,
        schema,
        "inventory_by_warehouse",
        where={"needs_reorder": "true"},
        columns=["item_code", "item_name", "warehouse", "projected_qty", "reorder_level"],
        limit=50,
    )
    # Those of which the warehouse itself has too little say by themselves why; of others it is the
    # group that the warehouse belongs to.
    some = sorted(reorder.rows, key=_has_enough)[:3]
    async with hub.db.connection() as conn:
        found = await conn.execute(
            "SELECT s.doctype, s.rows FROM bascule.streams s"
            " JOIN bascule.connections c ON c.id = s.connection_id"
            " WHERE c.slug = %s AND s.enabled ORDER BY s.rows DESC, s.doctype",
            [schema],
        )
        counts = {str(doctype): int(rows) for doctype, rows in await found.fetchall()}
        short = await _short(conn, schema)
        currency, sales = await _sales(conn, schema, first)
    return Arrived(counts, short, some, first, currency, sales)


def _has_enough(row: Mapping[str, Any]) -> bool:
    return float(row["projected_qty"] or 0) > float(row["reorder_level"] or 0)


async def _short(conn: Any, schema: str) -> int:
    from psycopg.sql import SQL, Identifier

    query = SQL("SELECT count(DISTINCT item_code) FROM {} WHERE needs_reorder")
    found = await conn.execute(query.format(Identifier(schema, "inventory_by_warehouse")))
    return int((await found.fetchone())[0])


async def _sales(conn: Any, schema: str, first: date) -> tuple[str, list[dict[str, Any]]]:
    from psycopg.sql import SQL, Identifier

    found = await conn.execute(
        SQL(
            "SELECT greatest(date_trunc('week', transaction_date)::date, %(first)s::date) AS week,"
            " count(*), sum(base_net_total), min(currency) FILTER (WHERE conversion_rate = 1)"
            " FROM {} WHERE docstatus = 1 AND transaction_date >= %(first)s::date"
            " AND transaction_date < %(first)s::date + interval '1 month' GROUP BY 1 ORDER BY 1"
        ).format(Identifier(schema, "sales_order")),
        {"first": first},
    )
    rows = await found.fetchall()
    weeks = [
        {"week": week.isoformat(), "orders": orders, "total": float(total or 0)}
        for week, orders, total, _ in rows
    ]
    return next((str(row[3]) for row in rows if row[3]), ""), weeks


def tell_arrived(what: Arrived) -> None:
    from bascule.ui.filters import plural

    out.print()
    total = sum(what.counts.values())
    out.print(f"[bold]{total:,} documents are here[/]")
    counts = "   ".join(f"{escape(doctype)} {rows:,}" for doctype, rows in what.counts.items())
    out.print(f"  {counts}", soft_wrap=False)
    out.print()
    made = table(
        *("  Item", "Name", "Warehouse", "Projected", "Reorder at"),
        title=f"{plural(what.short, 'item')} to reorder, {len(what.reorder)} of them:",
        numbers=("Projected", "Reorder at"),
    )
    for row in what.reorder:
        made.add_row(
            f"  {escape(str(row['item_code']))}",
            escape(str(row["item_name"])),
            escape(str(row["warehouse"])),
            f"{float(row['projected_qty'] or 0):,.0f}",
            f"{float(row['reorder_level'] or 0):,.0f}",
        )
    show(made)
    out.print()
    amounts = [week["total"] for week in what.sales]
    out.print(
        f"[bold]Sales in {what.month:%B %Y}[/]  [cyan]{sparkline(amounts)}[/]  "
        f"{sum(amounts):,.2f} {escape(what.currency)} net in"
        f" {plural(sum(week['orders'] for week in what.sales), 'order')}"
    )
    made = table("  Week from", "Orders", "Total", numbers=("Orders", "Total"))
    for week in what.sales:
        made.add_row(f"  {week['week']}", str(week["orders"]), f"{week['total']:,.2f}")
    show(made)


def ways_in(hub: Hub, api: str, token: str, site: Site, item: str) -> dict[str, str]:
    """Lines that work when they are pasted into another terminal."""
    folder = shlex.quote(str(hub.settings.data_dir))
    environment = f"BASCULE_DATA_DIR={folder}"
    # A database of one's own, if one is set, is not the demo's.
    outside = [name for name in ("BASCULE_DATABASE_URL", "POSTGRES_URL") if name in os.environ]
    if outside:
        environment = " ".join(["env", *(f"-u {name}" for name in outside), environment])
    bascule = f"{environment} {_program()}"
    query = (
        "select item_code, warehouse, projected_qty from inventory_by_warehouse where needs_reorder"
    )
    address = f"{site.url}/api/resource/Item/{_quoted(item)}"
    authorization = f"Authorization: token {site.api_key}:{site.api_secret}"
    return {
        "api": f'curl -H "Authorization: Bearer {token}"'
        f" '{api}/api/connectors/demo/rows/inventory?needs_reorder=true&limit=3'",
        "psql": f'{bascule} psql -c "{query} limit 5"',
        "site": f'curl -H "{authorization}" {address}',
        "change": f'curl -X PUT -H "{authorization}" -H "Content-Type: application/json"'
        f""" -d '{{"item_name": "Renamed just now"}}' {address}""",
        "status": f"{bascule} status",
    }


def _program() -> str:
    """How this program was called, in a way that works from any folder."""
    called = Path(sys.argv[0])
    if called.name == "bascule":
        return shlex.quote(str(called.absolute()))
    return f"{shlex.quote(sys.executable)} -m bascule"


def _quoted(name: str) -> str:
    from urllib.parse import quote

    return quote(name, safe="")


def tell_ways(ways: dict[str, str], api: str, site: Site, admin: Admin) -> None:
    out.print()
    out.print(f"[bold]Sign in[/]  [cyan]{escape(api)}/[/]  {escape(admin.in_words)}")
    for title, text, line in (
        ("The API", f"{api}, with the token in this line:", ways["api"]),
        ("SQL", "in any tool, or here:", ways["psql"]),
        ("The site", f"{site.url}, a sandbox; as {site.user}:", ways["site"]),
        ("Change something there", "and see it arrive below:", ways["change"]),
    ):
        out.print()
        out.print(f"[bold]{title}[/]  {escape(text)}")
        out.print(f"  [cyan]{escape(line)}[/]", no_wrap=True, overflow="ignore", crop=False)
    out.print()

"""What a connection's settings take from its mirror."""

import html
import re
from collections.abc import Callable
from typing import Any

from tests.kit.desk import Desk


def test_warehouses_are_picked_from_the_sites_own_list_without_asking_it(
    slug: str, site: Any, sit: Callable[..., Desk]
) -> None:
    page = sit("admin").open(f"/connectors/{slug}/settings")
    offered = re.findall(r'type="checkbox" name="warehouse_filter" value="([^"]*)"', page.html)
    there = [row["name"] for row in site.site.tables.rows("Warehouse", is_group=0)]
    assert sorted(map(html.unescape, offered)) == sorted(there)
    assert '<textarea class="form-control" id="field-warehouse_filter"' not in page.html

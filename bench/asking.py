"""Pages of 50 orders over HTTP, as pages of an application ask for them: one after another."""

import http.client
import json
import random
import time
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

from bench.orders import CUSTOMERS, DAYS, FIRST_DAY, STATUSES
from bench.processes import CannotMeasure

QUESTIONS = 400
PAGE = 50
INDEXED = tuple(
    f"{way}{column}"
    for column in ("order_date", "order_id", "total_amount", "delivery_date")
    for way in ("", "-")
)
OTHERS = ("-quantity", "net_amount", "customer_name", "-status")


def ask_all(said: dict[str, Any], sorts: tuple[str, ...]) -> list[float]:
    """The seconds that each of the questions took, warmed up by a tenth as many."""
    to = urlsplit(said["url"])
    asking = http.client.HTTPConnection(to.hostname or "", to.port, timeout=60)
    try:
        taken = [_ask(asking, said, query) for query in questions(sorts, QUESTIONS)]
    finally:
        asking.close()
    return taken[QUESTIONS // 10 :]


def questions(sorts: tuple[str, ...], count: int) -> Iterator[dict[str, str]]:
    """Each filters by one to three columns, in turns of its kind, and sorts."""
    dice = random.Random(7)
    first = date.fromisoformat(FIRST_DAY)
    for turn in range(count):
        since = first + timedelta(days=dice.randrange(DAYS))
        until = since + timedelta(days=dice.choice((7, 30, 365)))
        status, customer = dice.choice(STATUSES), f"C-{dice.randrange(CUSTOMERS)}"
        filters: list[dict[str, str]] = [
            {"status": status},
            {"customer_id": customer},
            {"order_date__gte": str(since), "order_date__lt": str(until)},
            {"status": status, "order_date__gte": str(since)},
            {"status__in": "To Bill,To Deliver", "total_amount__gte": "5000"},
            {"customer_id": customer, "total_amount__lt": "4000", "order_date__gte": str(since)},
            {"is_pending": "true", "order_date__lt": str(until)},
        ]
        yield {**filters[turn % len(filters)], "sort": dice.choice(sorts), "limit": str(PAGE)}


def _ask(asking: http.client.HTTPConnection, said: dict[str, Any], query: dict[str, str]) -> float:
    path = f"/api/connectors/{said['connector']}/sales_orders?{urlencode(query)}"
    started = time.perf_counter()
    asking.request("GET", path, headers={"Authorization": f"Bearer {said['token']}"})
    answer = asking.getresponse()
    body = answer.read()
    taken = time.perf_counter() - started
    if answer.status != 200:
        raise CannotMeasure(f"{path}: {answer.status} {body[:200]!r}")
    if len(json.loads(body)["rows"]) > PAGE:
        raise CannotMeasure(f"{path}: more than {PAGE} rows")
    return taken

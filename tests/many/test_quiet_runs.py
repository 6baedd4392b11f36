"""Runs that changed nothing become counts of their day; what tells of something stays as it is."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from bascule.mirror.jobs import count_quiet_runs
from tests.kit.api import Api
from tests.kit.desk import Desk
from tests.kit.hub import RunningHub

Sit = Callable[..., Desk]
FILL = """
INSERT INTO bascule.runs
  (connection_id, stream_id, kind, trigger, outcome, queued_at, started_at, finished_at, seconds,
   rows_changed, report)
SELECT s.connection_id, s.id, t.kind, 'schedule', t.outcome, t.at, t.at, t.at, 0.1, t.changed,
       CASE WHEN t.kind = 'repair' THEN '{"equal": true, "checked": 5}' ELSE '{}' END::jsonb
FROM bascule.streams s JOIN bascule.connections c ON c.id = s.connection_id AND c.slug = 'site_042'
JOIN LATERAL (VALUES
  (now() - interval '50 h', 'sync', 'done', 0),
  (now() - interval '49 h', 'sync', 'done', 0),
  (now() - interval '48 h', 'sync', 'done', 3),
  (now() - interval '47 h', 'sync', 'failed', 0),
  (now() - interval '46 h', 'repair', 'done', 0),
  (now() - interval '45 h', 'full', 'done', 0),
  (now() - interval '44 h', 'sync', 'done', 0),
  (now() - interval '1 h', 'sync', 'done', 0),
  (now() - interval '30 h', 'sync', 'done', 0)
) AS t(at, kind, outcome, changed) ON true
WHERE s.doctype IN ('Thing 01', 'Thing 02')
ORDER BY s.id, t.at BETWEEN now() - interval '31 h' AND now() - interval '29 h', t.at;
INSERT INTO bascule.run_logs (run_id, level, message)
SELECT id, CASE WHEN finished_at BETWEEN now() - interval '44.5 h' AND now() - interval '43 h'
                THEN 'warning' ELSE 'info' END, 'Said.' FROM bascule.runs
"""


@pytest.fixture(scope="module")
def thinned(running_hub: RunningHub) -> RunningHub:
    url = running_hub.settings.database_url
    assert url is not None
    with psycopg.connect(url.get_secret_value(), autocommit=True) as conn:
        conn.execute(FILL)
    for _ in range(2):  # a second time counts nothing twice
        running_hub.run(count_quiet_runs(running_hub.hub))
    return running_hub


def test_what_changed_nothing_is_counted_and_all_else_stays(thinned: RunningHub) -> None:
    api = Api(thinned.url, thinned.token)
    answer = api.get("/api/connectors/site_042/runs", limit=200).json
    kept: dict[str, list[Any]] = {"Thing 01": [], "Thing 02": []}
    for run in answer["runs"]:
        kept[run["doctype"]].append((run["kind"], run["outcome"], run["rows_changed"]))
    # Within a day, and the newest by its number, which ended before.
    newest = [("sync", "done", 0), ("sync", "done", 0)]
    warned = [("sync", "done", 0)]
    others = [
        ("full", "done", 0),
        ("repair", "done", 0),
        ("sync", "failed", 0),
        ("sync", "done", 3),
    ]
    for runs in kept.values():
        assert sorted(runs) == sorted(newest + warned + others)
    assert sum(day["runs"] for day in answer["quiet"]) == 4
    assert api.get("/api/connectors/site_043/runs").json["quiet"] == []


def test_pages_say_how_many_there_were(thinned: RunningHub, sit: Sit) -> None:
    viewer = sit("viewer")
    assert "4 runs of days gone by changed nothing" in viewer.open("/connectors/site_042").text
    assert "of days gone by" not in viewer.open("/connectors/site_043").text
    of_stream = viewer.open("/connectors/site_042/streams/thing_1").text
    assert "2 runs of days gone by changed nothing" in of_stream

"""A run's page: its figures and its log, filtered and downloaded; and how far it is."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from bascule.mirror.runs import logs, run_page
from bascule.mirror.runs.run_batches import Progress
from bascule.mirror.schemas import RunAnswer
from tests.connections.pages.conftest import Ended
from tests.kit.people import Sit
from tests.kit.waiting import until

LOGGED = [
    ("info", "Reading <b>Supplier</b>"),
    ("warning", "a column became text:\nits values did not fit"),
    ("error", "100% gone_wrong"),
]


@pytest.fixture
def run(pulled: str, ended: Ended, sql: Any) -> Any:
    """A run that has said more than it would by itself."""
    found = next(run for run in ended(pulled) if run["doctype"] == "Supplier")
    for level, message in LOGGED:
        sql(
            "INSERT INTO bascule.run_logs (run_id, level, message) VALUES (%s, %s, %s)",
            [found["id"], level, message],
        )
    return found


def test_it_tells_what_was_done_and_what_was_said(run: Any, sit: Sit) -> None:
    viewer = sit("viewer")
    page = viewer.open(f"/runs/{run['id']}")
    assert page.status == 200
    assert f"Rows read {run['rows_read']:,}" in page.text
    assert re.search(r"asked for by \S+, by the API", page.text)
    assert "Reading Supplier: " in page.text
    assert "Done: " in page.text
    assert "Reading &lt;b&gt;Supplier&lt;/b&gt;" in page.html
    assert "Warehouse" in page.text  # which was started with it
    assert f'href="/api/runs/{run["id"]}"' in page.html
    assert f'href="/api/runs/{run["id"]}/logs"' in page.html
    assert 'action="/connectors' not in page.html
    assert viewer.open("/runs/999999999").status == 404


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("level=warning", {1, 2}),
        ("level=error", {2}),
        ("words=COLUMN", {1}),
        ("words=%25", {2}),
        ("words=_", {2}),
        ("level=error&words=column", set()),
    ],
)
def test_the_log_is_filtered_in_the_address(run: Any, sit: Sit, query: str, said: set[int]) -> None:
    text = sit("viewer").open(f"/runs/{run['id']}?{query}").text
    for at, marker in enumerate(("Reading <b>", "a column became text", "100% gone_wrong")):
        assert (marker in text) == (at in said), marker
    assert ("No line fits" in text) == (not said)


def test_only_the_newest_lines_are_shown_and_all_are_in_the_file(
    run: Any, sit: Sit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "SHOWN", 2)
    monkeypatch.setattr(run_page, "SHOWN", 2)
    viewer = sit("viewer")
    page = viewer.open(f"/runs/{run['id']}")
    assert "The newest 2 lines;" in page.text
    assert "Reading" not in page.text.partition("The newest")[2]

    file = viewer.visitor.get(f"/runs/{run['id']}/log.txt")
    assert file.status == 200
    assert file.headers["content-type"] == "text/plain; charset=utf-8"
    assert file.headers["content-disposition"] == f'attachment; filename="run-{run["id"]}.txt"'
    lines = file.body.decode().splitlines()
    assert "info    Reading <b>Supplier</b>" in lines[-4]
    assert lines[-3].endswith("a column became text:")
    assert lines[-2] == "    its values did not fit"


def test_how_far_a_run_is_never_says_more_than_all() -> None:
    now = datetime.now(UTC)
    run = RunAnswer(
        id=1, connection_id=uuid4(), stream_id=1, kind="full", trigger="page", outcome="running",
        attempts=1, queued_at=now, started_at=now - timedelta(seconds=10), finished_at=None,
        seconds=None, expected_rows=1000, rows_read=250, rows_changed=0, rows_deleted=0, pages=1,
        bytes=1, report={}, error=None, next_step=None,
    )  # fmt: skip
    halfway = Progress(run, now)
    assert (halfway.done, halfway.total, halfway.rate, halfway.left) == (250, 1000, 25, 30)
    over = Progress(run.model_copy(update={"rows_read": 1200}), now)
    assert (over.done, over.total, over.left) == (1200, 1200, None)
    unknown = Progress(run.model_copy(update={"expected_rows": None, "started_at": None}), now)
    assert (unknown.total, unknown.rate, unknown.left) == (None, None, None)


def test_what_all_runs_said_is_one_log(run: Any, pulled: str, sit: Sit) -> None:
    viewer = sit("viewer")
    page = viewer.open(f"/connectors/{pulled}/log")
    for doctype in ("Supplier", "Warehouse"):
        assert f"{doctype} Done: " in page.text
    assert f'<a href="/runs/{run["id"]}">Supplier</a>' in page.html
    assert "Reading &lt;b&gt;Supplier&lt;/b&gt;" in page.html
    errors = viewer.open(f"/connectors/{pulled}/log?level=error").text
    assert "100% gone_wrong" in errors
    assert "Done:" not in errors

    twin = viewer.visitor.get(f"/api/connectors/{pulled}/logs?level=error").json["lines"]
    assert [(line["doctype"], line["message"]) for line in twin] == [("Supplier", LOGGED[2][1])]
    file = viewer.visitor.get(f"/connectors/{pulled}/log.txt").body.decode()
    assert "error   Supplier: 100% gone_wrong\n" in file
    assert "Warehouse: Done: " in file


def test_a_run_is_cancelled_by_its_button_and_a_comparison_asks_first(
    pulled: str, sit: Sit, site: Any, ended: Ended
) -> None:
    editor, viewer = sit("editor"), sit("viewer")
    site.faults.add("latency", seconds=3600)
    for kind, asks in (("sync", False), ("verify", True)):
        editor.send(f"/connectors/{pulled}/streams/supplier/{kind}")

        def running() -> int:
            told = editor.visitor.get(f"/api/connectors/{pulled}/runs").json["runs"][0]
            return int(told["id"]) if told["outcome"] == "running" else 0

        path = f"/runs/{until(running)}"
        page = editor.open(path)
        assert ('data-dialog="ask-cancel"' in page.html) == asks
        assert ("what has been compared so far is lost" in page.text.lower()) == asks
        assert f'action="{path}/cancel"' in page.html
        assert f'action="{path}/cancel"' not in viewer.open(path).html
        assert viewer.send(f"{path}/cancel").status == 403
        assert (
            "Cancelled. What is here stays as it is."
            in editor.follow(editor.send(f"{path}/cancel")).text
        )
        assert "has ended already" in editor.follow(editor.send(f"{path}/cancel")).text
    editor.send(f"/connectors/{pulled}/sync")
    sent = editor.send(f"/connectors/{pulled}/cancel")
    assert "Cancelled 2 runs." in editor.follow(sent).text
    site.faults.clear()
    assert (
        "Nothing was under way any more."
        in editor.follow(editor.send(f"/connectors/{pulled}/cancel")).text
    )

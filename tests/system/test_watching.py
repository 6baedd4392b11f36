"""What watches a hub from outside: Prometheus' scrapes, OpenTelemetry's traces, JSON log lines."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families

from bascule.sandbox import SandboxThread
from bascule.telemetry import COUNTED, tracing
from tests.kit.api import Api
from tests.kit.connecting import connect
from tests.kit.database import FreshSettings
from tests.kit.hub import RunningHub
from tests.kit.site import Erp
from tests.kit.two_way import confirm, pairs_are_proposed
from tests.kit.waiting import until

TOKEN = "a token for metrics and nothing else"


class Collector:
    """Takes OTLP over HTTP as a collector does."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        taken = self.spans

        class Takes(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.path == "/v1/traces"
                said = ExportTraceServiceRequest.FromString(body)
                for resource in said.resource_spans:
                    for scope in resource.scope_spans:
                        taken.extend(scope.spans)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Takes)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def named(self, name: str) -> list[Any]:
        return [span for span in self.spans if span.name == name]


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.server.shutdown()


@pytest.fixture(scope="module")
def site(erpnext_snapshot: Any) -> Iterator[Any]:
    with SandboxThread(erpnext_snapshot) as running:
        yield running


@pytest.fixture(scope="module")
def watched(fresh_settings: FreshSettings, collector: Collector, site: Any) -> Iterator[RunningHub]:
    """A hub that pulled, was told of a change, sent an edit, and failed at a stream."""
    with (
        fresh_settings(metrics_token=TOKEN) as settings,
        tracing(collector.url, "of tests"),
        RunningHub(settings) as running,
    ):
        api = Api(running.url, running.token)
        connect(api, site, name="Watched", streams=["Warehouse"], start_sync=True)
        done = api.post("/api/connectors/sync", {"wait": 60}).json
        assert done["finished"], done
        site.faults.add("maintenance", path="/api/", times=30)
        assert api.post("/api/connectors/sync", {"wait": 60}).json["finished"]
        site.faults.clear()
        at = "/api/connectors/watched/two-way/customers"
        until(lambda: api.post(f"{at}/begin", {"own_field": False}).status == 200, "not begun")
        pairs_are_proposed(api, at)
        confirm(api, at)
        made = {"name": "Traced", "customerGroup": "Consumers", "country": "Netherlands"}
        number = api.post("/api/customers", made).json["id"]
        until(
            lambda: api.get(f"/api/customers/{number}").json["sync"]["state"] == "in_sync",
            "it was not sent",
        )
        assert Erp(site).read("Customer", "Traced")
        assert Api(running.url, None).post("/api/webhooks/erpnext/customers", {}).status == 401
        yield running


def scraped(hub: RunningHub, token: str | None = TOKEN) -> dict[tuple[str, ...], float]:
    answer = Api(hub.url, token).get("/metrics")
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"].startswith("text/plain")
    # Labels come in the order of their names.
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.body.decode())
        for sample in family.samples
    }


def test_metrics_tell_of_runs_rows_lag_queue_sends_deliveries_and_errors(
    watched: RunningHub,
) -> None:
    def complete() -> Any:
        found = scraped(watched)
        counted = {
            ("bascule_sends_total", "watched", "sent", "customer"),
            ("bascule_runs_total", "watched", "sync", "done"),
        }
        return found if counted <= found.keys() else None

    told = until(complete, "a send or a run is not counted")
    assert told["bascule_runs_total", "watched", "sync", "done"] >= 1
    assert told["bascule_rows_total", "watched", "read"] >= 6
    assert told["bascule_deliveries_total", "refused"] == 1
    assert told["bascule_site_requests_total", "GET", "200"] > 3
    assert any(key[0] == "bascule_errors_total" and key[2] == "site" for key in told)
    assert told["bascule_worker_alive",] == 1
    assert told["bascule_connection_healthy", "watched"] in (0, 1)
    assert 0 <= told["bascule_lag_seconds", "watched"] < 3600
    assert told["bascule_unsent_records",] == 0
    assert told["bascule_conflicts_open",] == 0
    assert {key[1] for key in told if key[0] == "bascule_queue_waiting"} == {
        *("clock", "people", "soon", "runs", "housekeeping")
    }
    text = Api(watched.url, TOKEN).get("/metrics").body.decode()
    for name in COUNTED:
        assert f"# TYPE bascule_{name}_total counter" in text


def test_metrics_open_to_their_token_and_to_admins_alone(watched: RunningHub) -> None:
    for token in (None, "bsc_" + "x" * 43, TOKEN[:-1], ""):
        assert Api(watched.url, token).get("/metrics").status == 401
    for role in ("viewer", "editor"):
        assert watched.somebody(role).get("/metrics").status == 403
    assert scraped(watched, watched.token)["bascule_worker_alive",] == 1
    assert Api(watched.url, TOKEN).get("/api/connectors").status == 401


def test_counters_are_those_of_all_processes_and_go_up_alone(watched: RunningHub) -> None:
    before = scraped(watched)

    async def another_process() -> None:
        async with watched.hub.db.connection() as conn:
            await conn.execute(
                "UPDATE bascule.counters SET value = value + 5"
                " WHERE name = 'deliveries' AND labels = '[\"refused\"]'"
            )

    watched.run(another_process())
    after = scraped(watched)
    assert after["bascule_deliveries_total", "refused"] == 6
    counters = {key for key in before if key[0].endswith("_total")}
    assert all(after[key] >= before[key] for key in counters)


def test_runs_sends_and_requests_to_sites_are_traced_as_one(
    watched: RunningHub, collector: Collector
) -> None:
    def arrived() -> Any:
        names = {span.name for span in collector.spans}
        return {"mirror.run", "twoway.send", "site GET", "site POST"} <= names

    until(arrived, "the collector was told of nothing")
    jobs = {span.span_id: span for span in collector.named("twoway.send")}
    written = [span for span in collector.named("site POST") if span.parent_span_id in jobs]
    assert written, "a request of a send is no part of its trace"
    job = jobs[written[0].parent_span_id]
    assert job.trace_id == written[0].trace_id
    attributes = {one.key for one in job.attributes}
    assert "bascule.record" in attributes
    text = str(collector.spans)
    for secret in ("api_secret", "token "):
        assert secret not in text
    failed = [span for span in collector.spans if span.status.code == 2]
    assert failed, "the site was down for a while"


def test_log_lines_are_json_objects_with_what_they_are_about() -> None:
    import logging

    from bascule.cli.terminal import JsonLine
    from bascule.telemetry import about

    def line(**options: Any) -> Any:
        record = logging.LogRecord("bascule.x", logging.WARNING, "", 0, "A %s\n\x1b", ("b",), None)
        with about(**options):
            text = JsonLine().format(record)
        assert "\n" not in text and "\x1b" not in text
        return json.loads(text)

    told = line(run=7, connection="c0ffee")
    assert (told["run"], told["connection"]) == (7, "c0ffee")
    assert told["level"] == "WARNING" and told["message"] == "A b\n\x1b"
    assert "run" not in line()
    assert time.strptime(told["at"][:19], "%Y-%m-%dT%H:%M:%S")

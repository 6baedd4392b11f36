"""What this process counts, traces, and puts beside its log lines; the lowest floor of all.

Counts are added up in the database by `bascule.jobs.processes`, over all processes. Traces go to an
OpenTelemetry collector where `start_tracing` was called; else a span costs nothing.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

# Everything that is counted, and what each label tells; the one list, see docs/operating.md.
COUNTED: dict[str, tuple[str, tuple[str, ...]]] = {
    "runs": ("Runs of the mirror that ended.", ("connection", "kind", "outcome")),
    "rows": ("Rows of mirrors: read from sites, written, deleted.", ("connection", "what")),
    "sends": ("Edits on their way to ERPNext.", ("connection", "record_type", "outcome")),
    "outbox_writes": ("Writes to ERPNext: written, or why not.", ("outcome",)),
    "deliveries": ("Webhooks: kept, refused, done, or failed and tried again.", ("outcome",)),
    "conflicts": ("Fields that both sides changed.", ("connection", "record_type")),
    "errors": ("What went wrong, by kind of error.", ("where", "kind")),
    "site_requests": ("Requests to sites.", ("method", "status")),
    "site_request_seconds": ("Seconds that they took.", ("method",)),
}
Labels = tuple[str, ...]
Counts = dict[tuple[str, Labels], float]
_of_the_process: Counts = {}
_counts: ContextVar[Counts] = ContextVar("counts", default=_of_the_process)
_fields: ContextVar[Mapping[str, Any]] = ContextVar("fields", default={})  # noqa: B039 - read only
_tracer: Any = None  # OpenTelemetry's, once tracing has begun


def count(name: str, by: float = 1, **labels: str) -> None:
    """`name` and its labels are those of COUNTED. Costs an addition."""
    key = (name, tuple(labels[label] for label in COUNTED[name][1]))
    counts = _counts.get()
    counts[key] = counts.get(key, 0) + by


def count_apart() -> None:
    """From here on this task, and what it starts, has counts of its own: for several hubs in one
    process, of which each writes down what it finds.
    """
    _counts.set({})


def take_counts() -> Counts:
    """What was counted since it was taken last."""
    counts = _counts.get()
    taken = dict(counts)
    counts.clear()
    return taken


def give_back(taken: Mapping[tuple[str, Labels], float]) -> None:
    """Those that could not be written down."""
    counts = _counts.get()
    for key, value in taken.items():
        counts[key] = counts.get(key, 0) + value


@contextmanager
def about(**fields: Any) -> Iterator[None]:
    """What is logged within the block is about these: run, record, connection."""
    token = _fields.set({**_fields.get(), **fields})
    try:
        yield
    finally:
        _fields.reset(token)


def fields() -> Mapping[str, Any]:
    return _fields.get()


@dataclass(slots=True)
class Span:
    """`attributes` may be added to until the block ends; an exception that leaves it is noted."""

    attributes: dict[str, Any]
    error: str | None = None


@contextmanager
def span(name: str, *, client: bool = False, **attributes: Any) -> Iterator[Span]:
    """A piece of work, for who traces. `client`: a request to somebody else."""
    noted = Span(attributes)
    if _tracer is None:
        yield noted
        return
    from opentelemetry.trace import SpanKind, Status, StatusCode  # noqa: PLC0415

    kind = SpanKind.CLIENT if client else SpanKind.INTERNAL
    # Its text may hold what a site said of people: only the kind of error is told.
    with _tracer.start_as_current_span(
        name, kind=kind, record_exception=False, set_status_on_exception=False
    ) as made:
        try:
            yield noted
        except BaseException as error:
            noted.error = type(error).__name__
            raise
        finally:
            made.set_attributes({key: one for key, one in noted.attributes.items() if one})
            if noted.error is not None:
                made.set_attribute("error.type", noted.error)
                made.set_status(Status(StatusCode.ERROR))


@contextmanager
def tracing(endpoint: str | None, version: str) -> Iterator[None]:
    """Spans of this process go to a collector (OTLP over HTTP) for as long as the block lasts; what
    is left is sent at its end. ImportError: the extra `otel` is not installed.
    """
    global _tracer  # noqa: PLW0603
    if endpoint is None:
        yield
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    resource = Resource.create({"service.name": "bascule", "service.version": version})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=5)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=2000))
    _tracer = provider.get_tracer("bascule", version)
    try:
        yield
    finally:
        _tracer = None
        provider.shutdown()

"""Traces by OpenTelemetry, sent as OTLP over HTTP: what a request waited for, from the edge to PostgreSQL and Valkey.

Imported only if an endpoint is set. The SDK reads the other standard variables (OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER,
OTEL_EXPORTER_OTLP_HEADERS, ...) by itself. What no request waits for is not traced: loops would fill every trace store.
Statements are told, their parameters and the keys of Valkey never.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

import asyncpg
from opentelemetry import propagate
from opentelemetry.context import Context, attach, detach
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    get_current_span,
    set_span_in_context,
)
from redis.asyncio import Redis
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from app import __version__
from app.db.connections import OfficeConnection
from app.outages import Outage, Watch
from app.services.ports import Waiting

LONGEST_STATEMENT: Final = 4_000
"""Of a statement that is longer, the beginning is told."""

CLOSE_SECONDS: Final = 2.0
"""So long whoever stops waits for the last spans to be sent."""

UNDELIVERED: Final = Outage("traces are not delivered", "traces are delivered again")

_SERVICE: Final = "service.name"
_NANOSECONDS: Final = 1_000_000_000


class OpenTelemetry:
    """Implements ports.Tracing, and watches what speaks to PostgreSQL and Valkey."""

    def __init__(self, endpoint: str) -> None:
        """`endpoint` is the whole address to which traces are sent."""
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # what matters is said below, once
        resource = Resource.create({"service.version": __version__})
        if str(resource.attributes.get(_SERVICE, "")).startswith("unknown_service"):
            resource = resource.merge(Resource({_SERVICE: "usher"}))
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._processor = BatchSpanProcessor(_Delivered(OTLPSpanExporter(endpoint=endpoint)))
        self._provider.add_span_processor(self._processor)
        self._tracer = self._provider.get_tracer("usher", __version__)

    async def close(self) -> None:
        """Send what is left, as far as the collector takes it in time."""
        loop, closed = asyncio.get_running_loop(), asyncio.Event()

        def close() -> None:
            self._provider.shutdown()
            with contextlib.suppress(RuntimeError):  # nobody waits for it any more
                loop.call_soon_threadsafe(closed.set)

        # In a thread that nobody waits for at the end: one of the loop's own would hold up whoever stops.
        threading.Thread(target=close, name="traces", daemon=True).start()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(closed.wait(), CLOSE_SECONDS)

    def request(self, method: str, headers: Mapping[bytes, bytes], request_id: str) -> "_Request":
        sent = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers.items() if name in _CARRIERS}
        span = self._tracer.start_span(
            method,
            propagate.extract(sent, Context()),
            SpanKind.SERVER,
            {"http.request.method": method, "usher.request_id": request_id},
        )
        return _Request(span, method)

    def current(self) -> SpanContext | None:
        span = get_current_span()
        return span.get_span_context() if span.is_recording() else None

    @contextlib.contextmanager
    def batch(self, served: Sequence[Waiting]) -> Iterator[None]:
        first = next((each.mark for each in served if each.mark is not None), None)
        if first is None:
            yield
            return
        began, loop_time = time.time_ns(), asyncio.get_running_loop().time()
        with self._tracer.start_as_current_span("batch", _under(first)) as span:
            try:
                yield
            finally:  # whoever came late is in it by now
                span.set_attribute("usher.batch.size", len(served))
                span.set_attribute("usher.screening_ids", sorted({each.screening_id for each in served}))
                for each in served:
                    if isinstance(each.mark, SpanContext):
                        span.add_link(each.mark)
                        waited = max(loop_time - each.waits_since, 0.0)
                        self._waited(each, began - int(waited * _NANOSECONDS), began, span.get_span_context())

    @contextlib.contextmanager
    def part(self, name: str, of: Sequence[object]) -> Iterator[None]:
        marks = [mark for mark in of if isinstance(mark, SpanContext)]
        if not marks:
            yield
            return
        links = [Link(mark) for mark in marks]
        with self._tracer.start_as_current_span(name, _under(marks[0]), links=links):
            yield

    def watch_engine(self, engine: AsyncEngine) -> None:
        """Trace the statements of a pool."""
        event.listen(engine.sync_engine, "before_cursor_execute", self._statement_begins)
        event.listen(engine.sync_engine, "after_cursor_execute", self._statement_ended)
        event.listen(engine.sync_engine, "handle_error", self._statement_failed)

    def watch_connection(self, connection: OfficeConnection) -> None:
        """Trace the statements of a connection of asyncpg."""
        connection.add_query_logger(self._was_said)

    def watch_redis(self, client: Redis) -> None:
        """Trace the commands of a client, one by one and in pipelines."""
        execute: Any = client.execute_command
        pipeline: Any = client.pipeline

        async def execute_command(*words: Any, **options: Any) -> Any:
            with self._command(str(words[0])):
                return await execute(*words, **options)

        def traced_pipeline(*words: Any, **options: Any) -> Any:
            made: Any = pipeline(*words, **options)
            execute_all = made.execute

            async def execute(*words: Any, **options: Any) -> Any:
                with self._command(" ".join(str(command[0][0]) for command in made.command_stack)):
                    return await execute_all(*words, **options)

            made.execute = execute
            return made

        setattr(client, "execute_command", execute_command)  # noqa: B010 - mypy would not have it
        setattr(client, "pipeline", traced_pipeline)  # noqa: B010

    @contextlib.contextmanager
    def _command(self, name: str) -> Iterator[None]:
        if not get_current_span().is_recording():
            yield
            return
        told = {"db.system.name": "redis", "db.operation.name": name}
        with self._tracer.start_as_current_span(name, kind=SpanKind.CLIENT, attributes=told):
            yield

    def _waited(self, each: Waiting, began: int, ended: int, batch: SpanContext) -> None:
        told: dict[str, str | int] = {
            "usher.command": type(each.command).__name__,
            "usher.screening_id": each.screening_id,
        }
        waits = self._tracer.start_span(
            "wait in the queue", _under(each.mark), attributes=told, links=[Link(batch)], start_time=began
        )
        waits.end(ended)

    def _statement_begins(self, _: Any, __: Any, statement: str, ___: Any, context: Any, ____: bool) -> None:
        if context is not None and get_current_span().is_recording():
            context.usher_span = self._statement(statement, None)

    def _statement_ended(self, _: Any, __: Any, ___: str, ____: Any, context: Any, _____: bool) -> None:
        if (span := getattr(context, "usher_span", None)) is not None:
            span.end()

    def _statement_failed(self, failed: Any) -> None:
        if (span := getattr(failed.execution_context, "usher_span", None)) is not None:
            _fail(span, failed.original_exception)
            span.end()

    def _was_said(self, said: asyncpg.connection.LoggedQuery) -> None:
        """A statement over an office connection is over; this runs in the context of whoever said it."""
        if get_current_span().is_recording():
            ended = time.time_ns()
            span = self._statement(said.query, ended - int(said.elapsed * _NANOSECONDS))
            if said.exception is not None:
                _fail(span, said.exception)
            span.end(ended)

    def _statement(self, text: str, began: int | None) -> Span:
        operation = text.split(None, 1)[0].upper() if text.strip() else "SQL"
        told = {
            "db.system.name": "postgresql",
            "db.operation.name": operation,
            "db.query.text": text[:LONGEST_STATEMENT],
        }
        return self._tracer.start_span(operation, kind=SpanKind.CLIENT, attributes=told, start_time=began)


class _Request:
    """Implements ports.RequestSpan. The span belongs to the task of the request until it ends."""

    def __init__(self, span: Span, method: str) -> None:
        self.mark = span.get_span_context()
        self._span = span
        self._method = method
        self._token = attach(set_span_in_context(span))

    def end(self, route: str, status: int, user_id: int | None) -> None:
        self._span.update_name(f"{self._method} {route}")
        self._span.set_attribute("http.route", route)
        if status:
            self._span.set_attribute("http.response.status_code", status)
        if user_id is not None:
            self._span.set_attribute("user.id", str(user_id))
        if status >= 500:
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end()
        detach(self._token)


class _Delivered(SpanExporter):
    """Delivers spans, and says once when they are not, and once when they are again."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._watch = Watch()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        try:
            result = self._exporter.export(spans)
        except Exception as error:  # noqa: BLE001 - whatever it is, seats are sold all the same
            self._watch.meet(UNDELIVERED, type(error).__name__)
            return SpanExportResult.FAILURE
        if result is SpanExportResult.SUCCESS:
            self._watch.all_is_well()
        else:
            self._watch.meet(UNDELIVERED, "the collector does not take them")
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


_CARRIERS: Final = frozenset(name.encode() for name in propagate.get_global_textmap().fields)
"""The headers by which a caller says which trace a request belongs to (W3C: traceparent, tracestate, baggage)."""


def _under(mark: object) -> Context:
    """As if the span of this mark were the present one."""
    return set_span_in_context(NonRecordingSpan(cast("SpanContext", mark)), Context())


def _fail(span: Span, error: BaseException) -> None:
    """Which error it was. Its text may quote values of rows."""
    span.set_status(Status(StatusCode.ERROR))
    span.set_attribute("error.type", getattr(error, "sqlstate", None) or type(error).__name__)

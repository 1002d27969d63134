"""Traces, as a collector gets them: what a request waited for, from the edge to PostgreSQL and Valkey."""

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from httpx import AsyncClient

from app.adapters.tracing import OpenTelemetry
from app.logs import JsonLines
from app.services.box_office import batch
from app.services.desk import Desk
from app.settings import BadSettings, Settings, read_settings
from tests.adapters.collector import CLIENT, SERVER, Collector, Told, collecting
from tests.conftest import JWT_SECRET, OpenApp, resources_of
from tests.order import Connection, locked, until_waiting
from tests.races.buyers import codes, sent, somebody

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
HOLD = "POST /api/v1/screenings/{screening_id}/reservations"


@pytest.fixture
def collector() -> Iterator[Collector]:
    """Where the traces of a test go."""
    with collecting() as collector:
        yield collector


@pytest.fixture
async def client(open_app: OpenApp, collector: Collector) -> AsyncClient:
    """A process that traces."""
    return await open_app(otel_exporter_otlp_endpoint=collector.url)


def tracing_of(client: AsyncClient) -> OpenTelemetry:
    tracing = resources_of(client).tracing
    assert isinstance(tracing, OpenTelemetry)
    return tracing


Flush = Callable[[], Awaitable[None]]


@pytest.fixture
def flush(client: AsyncClient) -> Flush:
    """Wait until all that has ended is sent."""

    async def flush() -> None:
        assert await asyncio.to_thread(tracing_of(client)._provider.force_flush)

    return flush


async def hold(client: AsyncClient, label: str, **headers: str) -> int:
    answer = await client.post("/api/v1/screenings/1/reservations", json={"seats": [label]}, headers=headers)
    return answer.status_code


def within(span: Told, spans: list[Told]) -> list[Told]:
    """The spans directly below this one."""
    return [each for each in spans if each.parent == span.id and each.trace == span.trace]


@pytest.mark.parametrize("plain", [False, True])
async def test_a_hold_is_told_from_the_edge_to_the_databases(
    open_app: OpenApp, collector: Collector, plain: bool
) -> None:
    client = await open_app(otel_exporter_otlp_endpoint=collector.url, usher_plain=plain)

    assert await hold(client, "A1", traceparent=f"00-{TRACE}-{CALLER}-01", **{"X-Request-ID": "find-me"}) == 201
    await asyncio.to_thread(tracing_of(client)._provider.force_flush)

    [request] = collector.named(HOLD)
    assert (request.kind, request.trace, request.parent) == (SERVER, TRACE, CALLER)
    assert request.attributes["http.request.method"] == "POST"
    assert request.attributes["http.route"] == "/api/v1/screenings/{screening_id}/reservations"
    assert request.attributes["http.response.status_code"] == 201
    assert request.attributes["usher.request_id"] == "find-me"
    assert request.resource["service.name"] == "usher"
    [batch] = [span for span in within(request, collector.spans) if span.name == "batch"]
    [waited] = [span for span in within(request, collector.spans) if span.name == "wait in the queue"]
    assert batch.links == (request.id,)
    assert waited.links == (batch.id,)
    assert (waited.attributes["usher.command"], waited.attributes["usher.screening_id"]) == ("Hold", 1)
    assert request.began <= waited.began <= waited.ended <= batch.began <= batch.ended <= request.ended
    statements = [span for span in within(batch, collector.spans) if span.kind == CLIENT]
    assert len(statements) >= 2
    assert all(span.attributes["db.system.name"] == "postgresql" for span in statements)
    assert any("seat_claims" in span.attributes["db.query.text"] for span in statements)
    [announced] = [span for span in within(batch, collector.spans) if span.name == "announce"]
    told = within(announced, collector.spans)
    assert told
    assert {span.attributes["db.system.name"] for span in told} == {"redis"}
    assert set(collector.paths) == {"/v1/traces"}


async def test_all_requests_of_a_batch_are_linked_to_it(
    client: AsyncClient, collector: Collector, flush: Flush, database: Connection
) -> None:
    buyers = [await somebody(client) for _ in range(3)]
    async with locked(database, 1):
        first = sent(buyers[0].hold("A1"))
        await until_waiting(database)
        others = sent(buyers[1].hold("A2"), buyers[2].hold("A3"))
        await asyncio.sleep(0)
    assert codes([*await first, *await others]) == [201] * 3
    await flush()

    requests = {span.id for span in collector.named(HOLD)}
    waited = collector.named("wait in the queue")
    assert len(requests) == 3
    assert {link for batch in collector.named("batch") for link in batch.links} == requests
    assert {span.parent for span in waited} == requests
    assert {link for span in waited for link in span.links} == {batch.id for batch in collector.named("batch")}


async def test_a_read_and_a_mistake_are_told_too(client: AsyncClient, collector: Collector, flush: Flush) -> None:
    assert (await client.get("/api/v1/screenings/1/seats")).status_code == 200
    assert (await client.get("/api/v1/reservations/0192f0c4-5a7e-7c31-9f7a-2d1c6f0e8b11")).status_code == 401
    await flush()

    [read] = collector.named("GET /api/v1/screenings/{screening_id}/seats")
    [refused] = collector.named("GET /api/v1/reservations/{reservation_id}")
    assert any(span.attributes.get("db.query.text") for span in within(read, collector.spans))
    assert (refused.attributes["http.response.status_code"], refused.is_error) == (401, False)


async def test_what_somebody_sent_is_in_no_trace(client: AsyncClient, collector: Collector, flush: Flush) -> None:
    who, password, email = "somebody-private", "a very long password", "very-private@example.org"
    body = {"username": who, "password": password, "email": email}
    registered = await client.post("/api/v1/auth/register", json=body)
    assert registered.status_code == 201
    signed_in = await client.post("/api/v1/auth/login", json={"username": who, "password": password})
    token = signed_in.json()["access_token"]
    key = str(uuid4())
    await hold(client, "A1", Authorization=f"Bearer {token}", **{"Idempotency-Key": key})
    await client.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})
    await flush()

    sent_bytes = b"".join(collector.bodies)
    assert b"INSERT" in sent_bytes
    for secret in (who, password, email, token, signed_in.json()["refresh_token"], key):
        assert secret.encode() not in sent_bytes


async def test_what_nobody_waits_for_is_not_told(client: AsyncClient, collector: Collector, flush: Flush) -> None:
    resources = resources_of(client)

    await resources.revocations.look()
    await resources.reconciler.look()
    await resources.sweeper.sweep()
    await flush()

    assert collector.spans == []


async def test_a_sampled_out_request_is_not_told(client: AsyncClient, collector: Collector, flush: Flush) -> None:
    assert await hold(client, "A1", traceparent=f"00-{TRACE}-{CALLER}-00") == 201
    await flush()

    assert collector.spans == []


async def test_a_collector_that_is_away_is_one_line_and_seats_are_sold(
    client: AsyncClient, collector: Collector, flush: Flush, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for label, status in (("A1", 400), ("A2", 400), ("A3", 200)):
        collector.status = status
        assert await hold(client, label) == 201
        await asyncio.to_thread(tracing_of(client)._provider.force_flush)

    said = [record.getMessage() for record in caplog.records if "trace" in record.getMessage()]
    assert said == ["traces are not delivered: the collector does not take them", "traces are delivered again"]


# --- log lines


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What is logged, as JSON, written where it is logged."""
    caplog.set_level(logging.INFO, "app")
    written: list[dict[str, Any]] = []

    def handle(_: logging.Logger, record: logging.LogRecord) -> None:
        written.extend(map(json.loads, JsonLines().format(record).splitlines()))

    monkeypatch.setattr(logging.Logger, "handle", handle)
    return written


async def written(client: AsyncClient) -> None:
    """Wait until the requests so far have their lines."""
    log = resources_of(client).request_log
    assert log is not None
    log.write()


async def test_the_line_of_a_request_leads_to_its_trace(
    lines: list[dict[str, Any]], open_app: OpenApp, collector: Collector
) -> None:
    client = await open_app(otel_exporter_otlp_endpoint=collector.url)
    assert await hold(client, "A1", traceparent=f"00-{TRACE}-{CALLER}-01") == 201
    assert await hold(client, "A1", traceparent=f"00-{TRACE}-{CALLER}-00") == 409
    await written(client)
    await asyncio.to_thread(tracing_of(client)._provider.force_flush)

    [held, refused] = [line for line in lines if line["logger"] == "app.request_log"]
    [span] = collector.named(HOLD)
    assert (held["trace_id"], held["span_id"]) == (TRACE, span.id)
    assert refused["trace_id"] == TRACE
    assert list(held)[:5] == ["at", "level", "logger", "request_id", "message"]


@pytest.mark.parametrize("where", ["a route", "a batch"])
async def test_whatever_is_written_during_a_request_leads_to_its_trace(
    lines: list[dict[str, Any]],
    open_app: OpenApp,
    collector: Collector,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
) -> None:
    client = await open_app(otel_exporter_otlp_endpoint=collector.url)

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(*((Desk, "hold", fail) if where == "a route" else (batch, "decide", fail)))

    assert await hold(client, "A1", traceparent=f"00-{TRACE}-{CALLER}-01") == 500
    await asyncio.to_thread(tracing_of(client)._provider.force_flush)

    [span] = collector.named(HOLD)
    found = [(line["trace_id"], line["span_id"]) for line in lines if line["level"] == "error"]
    assert found
    assert set(found) == {(TRACE, span.id)}


async def test_nothing_is_said_of_traces_where_there_are_none(lines: list[dict[str, Any]], open_app: OpenApp) -> None:
    client = await open_app()
    assert await hold(client, "A1", traceparent=f"00-{TRACE}-{CALLER}-01") == 201
    logging.getLogger("app.somewhere").info("said")
    await written(client)

    assert [line["message"] for line in lines][-2:] == ["said", f"{HOLD} 201"]
    assert not any("trace_id" in line or "span_id" in line for line in lines)


# --- the settings


@pytest.mark.parametrize(
    ("given", "endpoint"),
    [
        ({}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, "http://collector:4318/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318/"}, "http://collector:4318/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector/mine"}, "http://collector/mine"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_TRACES_EXPORTER": "none"}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_SDK_DISABLED": "true"}, None),
    ],
)
def test_where_traces_go(monkeypatch: pytest.MonkeyPatch, given: dict[str, str], endpoint: str | None) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)

    assert read_settings().traces_endpoint == endpoint


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://somebody:geheim@collector:4318"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
    ],
)
def test_what_cannot_be_is_said(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(BadSettings, match=name) as bad:
        read_settings()

    assert "geheim" not in str(bad.value)


def test_without_an_endpoint_nothing_that_traces_is_even_loaded() -> None:
    program = (
        "import sys, asyncio\n"
        "from app.main import create_app, _tracing\n"
        "from app.settings import Settings\n"
        f"settings = Settings(database_url='postgresql://x@127.0.0.1:1/x', jwt_secret={JWT_SECRET!r})\n"
        "create_app(settings)\n"
        "assert _tracing(settings, None) is None\n"
        "tracing = ('opentelemetry.sdk.trace', 'opentelemetry.exporter')\n"
        "print([name for name in sys.modules if name.startswith(tracing)])"
    )
    said = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout

    assert said == "[]\n"


def test_without_the_sdk_an_endpoint_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    with pytest.raises(BadSettings, match=r"^OTEL_EXPORTER_OTLP_ENDPOINT needs OpenTelemetry's SDK; .* install") as bad:
        read_settings()

    assert len(str(bad.value).splitlines()) == 1

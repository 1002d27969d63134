"""What is counted, and how the figures of several workers become one page."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import httpx
import pytest
import yaml
from httpx import AsyncClient

from app.adapters import prometheus
from app.adapters.prometheus import Figures
from app.services.running.measures import Histogram, Measures
from app.settings import Settings
from tests.conftest import OpenApp, resources_of
from tests.order import Connection
from tests.patience import PATIENCE_SECONDS
from tests.routers.visitors import guest
from tests.services.test_live import Ear

KEY = "01939f10-0000-7000-8000-000000000000"
ROOT = Path(__file__).parents[2]
# docs/api.md, section 11: what dashboards rely on.
NAMES = {
    "usher_http_requests_total{method,route,status}",
    "usher_http_request_duration_seconds{method,route}",
    "usher_commands_total{command,outcome}",
    "usher_batch_size",
    "usher_batch_duration_seconds",
    "usher_queue_wait_seconds",
    "usher_queue_length",
    "usher_cache_reads_total{result}",
    "usher_live_listeners{door}",
    "usher_connections",
    "usher_live_lag_seconds",
    "usher_sweeper_lag_seconds",
    "usher_holds_expired_total",
    "usher_payments_total{provider,outcome}",
    "usher_outbox_backlog{kind}",
    "usher_database_connections{state}",
    "usher_build_info{version}",
}


def figures_in(page: str) -> dict[str, float]:
    """Each line of the page."""
    lines = (line.rpartition(" ") for line in page.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


async def figures_of(client: AsyncClient) -> dict[str, float]:
    answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return figures_in(answer.text)


async def test_what_happens_is_counted_by_route_and_outcome(client: AsyncClient) -> None:
    hold = {"seats": ["A1"]}
    assert (await client.post("/screenings/1/reservations", json=hold)).status_code == 201
    for path in ("/api/v1/screenings/1/reservations", "/v1/screenings/1/reservations"):
        assert (await client.post(path, json=hold)).status_code == 409
    for _ in range(3):
        assert (await client.get("/screenings/1/seats")).status_code == 200
    assert (await client.get("/nowhere/17")).status_code == 404

    found = await figures_of(client)

    route = 'route="/api/v1/screenings/{screening_id}/reservations"'
    assert found[f'usher_http_requests_total{{method="POST",{route},status="201"}}'] == 1
    assert found[f'usher_http_requests_total{{method="POST",{route},status="409"}}'] == 2
    assert found['usher_http_requests_total{method="GET",route="other",status="404"}'] == 1
    assert found[f'usher_http_request_duration_seconds_count{{method="POST",{route}}}'] == 3
    assert found['usher_commands_total{command="Hold",outcome="done"}'] == 1
    assert found['usher_commands_total{command="Hold",outcome="seats-unavailable"}'] == 2
    assert found["usher_batch_size_count"] == found["usher_batch_duration_seconds_count"] >= 1
    assert found["usher_queue_wait_seconds_count"] == 3
    assert found["usher_queue_length"] == 0
    assert sum(count for name, count in found.items() if name.startswith("usher_cache_reads_total")) >= 3
    assert {name for name in found if "17" in name} == set(), "an id is no label"


async def test_a_replay_is_counted_as_one(client: AsyncClient) -> None:
    for _ in range(2):
        answer = await client.post(
            "/screenings/1/reservations", json={"seats": ["A1"]}, headers={"idempotency-key": KEY}
        )
        assert answer.status_code == 201

    assert (await figures_of(client))['usher_commands_total{command="Hold",outcome="replayed"}'] == 1


async def test_every_name_that_dashboards_rely_on_is_there(client: AsyncClient) -> None:
    page = (await client.get("/metrics")).text
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", page, re.MULTILINE))

    assert {re.sub(r"\{.*", "", name) for name in NAMES} == set(kinds)
    for name in NAMES:
        bare = re.sub(r"\{.*", "", name)
        expected = "counter" if bare.endswith("_total") else "histogram" if bare in HISTOGRAMS else "gauge"
        assert kinds[bare] == expected


HISTOGRAMS = {
    "usher_http_request_duration_seconds",
    "usher_batch_size",
    "usher_batch_duration_seconds",
    "usher_queue_wait_seconds",
    "usher_live_lag_seconds",
    "usher_sweeper_lag_seconds",
}


async def test_only_the_networks_that_may_read_the_figures_do(open_app: OpenApp) -> None:
    theirs = await open_app(metrics_from="192.0.2.0/24")
    ours = await open_app()
    with_port = await open_app(metrics_port=1)  # nobody listens there in a test

    assert (await theirs.get("/metrics")).status_code == 404
    assert (await theirs.get("/metrics")).json()["code"] == "not-found"
    assert (await ours.get("/metrics")).status_code == 200
    assert (await ours.get("/metrics", headers={"x-forwarded-for": "192.0.2.1"})).status_code == 404, "by a proxy"
    assert (await with_port.get("/metrics")).status_code == 404


def test_the_figures_of_all_workers_are_added_up(tmp_path: Path) -> None:
    ours, other = Measures(), Measures()
    for measures, seconds in ((ours, 0.003), (other, 0.2), (other, 99.0)):
        measures.request("GET", "/a", 200, seconds)
    ours.watch("usher_queue_length", lambda: [((), 2.0)])
    other.watch("usher_queue_length", lambda: [((), 3.0)])
    other.holds_expired = 4
    for measures, refunds in ((ours, 7.0), (other, 6.0)):  # each has counted the same, a moment apart
        measures.watch("usher_outbox_backlog", lambda refunds=refunds: [(("refunds",), refunds)])
    Figures(other, tmp_path)._write()
    [written] = tmp_path.glob("*.json")
    written.rename(tmp_path / f"{os.getppid()}.json")  # of a process that lives

    found = figures_in(Figures(ours, tmp_path).page().decode())

    assert found['usher_http_requests_total{method="GET",route="/a",status="200"}'] == 3
    seconds = 'usher_http_request_duration_seconds_bucket{le="%s",method="GET",route="/a"}'
    assert [found[seconds % bound] for bound in ("0.0025", "0.005", "0.25", "10.0", "+Inf")] == [0, 1, 2, 2, 3]
    assert found['usher_http_request_duration_seconds_sum{method="GET",route="/a"}'] == pytest.approx(99.203)
    assert found["usher_queue_length"] == 5
    assert found['usher_outbox_backlog{kind="refunds"}'] == 7
    assert found["usher_holds_expired_total"] == 4


def test_what_a_worker_has_counted_stays_when_it_has_ended(tmp_path: Path) -> None:
    other = Measures()
    other.request("GET", "/a", 200, 0.1)
    other.watch("usher_queue_length", lambda: [((), 3.0)])
    Figures(other, tmp_path)._write()
    [written] = tmp_path.glob("*.json")
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    written.rename(tmp_path / f"{ended.pid}.json")
    (tmp_path / "7777777.json").write_text("half a fi")

    found = figures_in(Figures(Measures(), tmp_path).page().decode())

    assert found['usher_http_requests_total{method="GET",route="/a",status="200"}'] == 1
    assert "usher_queue_length" not in found


def test_a_histogram_counts_a_bound_with_what_is_below() -> None:
    histogram = Histogram((1.0, 2.0))

    for value in (0.5, 1.0, 1.5, 2.5):
        histogram.add(value)

    assert (histogram.counts, histogram.total) == ([2, 1, 1], 5.5)


# --- what watches them -----------------------------------------------------------------------------------------------


def queries() -> Iterable[str]:
    """Every query of the dashboard and of the alerts."""
    dashboard = json.loads((ROOT / "ops/grafana/usher.json").read_text())
    yield from (target["expr"] for panel in dashboard["panels"] for target in panel["targets"])
    alerts = yaml.safe_load((ROOT / "ops/prometheus/alerts.yml").read_text())
    yield from (rule["expr"] for group in alerts["groups"] for rule in group["rules"])


@pytest.mark.parametrize("query", list(queries()))
async def test_a_query_names_figures_that_exist_with_labels_that_they_have(client: AsyncClient, query: str) -> None:
    labels = {re.sub(r"\{.*", "", name): set(re.findall(r"(\w+)(?=[,}])", name)) for name in NAMES}
    for name, selected in re.findall(r"(usher_\w+?)(?:_bucket)?(?:\{([^}]*)\})?(?=[\[ )]|$)", query):
        assert name in labels, query
        assert set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selected)) <= labels[name]
    for by in re.findall(r"by \(([^)]*)\)", query):
        known = {label for name in labels if name in query for label in labels[name]}
        assert {each.strip() for each in by.split(",")} <= known | {"le"}


def test_what_every_process_counts_for_all_is_never_added_up() -> None:
    about = [query for query in queries() if any(name in query for name in prometheus._OF_ALL)]

    assert len(about) >= 2
    for query in about:
        assert re.match(r"max by \(kind\) \(usher_outbox_backlog\)", query)


async def test_the_page_has_a_port_of_its_own_where_that_is_set(settings: Settings, tmp_path: Path) -> None:
    """Two workers: whoever is asked tells the sums."""
    from tests.proxies.test_proxies import free_port, process, until_it_listens

    port, metrics = free_port(), free_port()
    own = {
        "DATABASE_URL": settings.database_url or "",
        "REDIS_URL": settings.redis_url or "",
        "JWT_SECRET": settings.jwt_secret or "",
        "PORT": str(port),
        "METRICS_PORT": str(metrics),
        "WEB_CONCURRENCY": "2",
        "RATE_LIMITS": "off",
    }
    with process(sys.executable, "-m", "app", "serve", **own) as running:
        await until_it_listens(port, running)
        await until_it_listens(metrics, running)
        for _ in range(40):  # a new connection each: they go to either worker
            async with httpx.AsyncClient(timeout=PATIENCE_SECONDS) as http:
                assert (await http.get(f"http://127.0.0.1:{port}/theaters")).status_code == 200
        name = 'usher_http_requests_total{method="GET",route="/api/v1/theaters",status="200"}'
        async with httpx.AsyncClient(timeout=PATIENCE_SECONDS) as http:
            while True:
                found = figures_in((await http.get(f"http://127.0.0.1:{metrics}/metrics")).text)
                assert found.get(name, 0) <= 40
                if found.get(name) == 40:
                    break
            assert (await http.get(f"http://127.0.0.1:{port}/metrics")).status_code == 404


async def test_whoever_listens_is_counted_by_door_and_told_how_late(open_app: OpenApp) -> None:
    client = await open_app()
    resources = resources_of(client)
    ear = Ear()

    async with resources.live.watching(1, ear, None, "somewhere"):
        listening = await figures_of(client)
        assert (await client.post("/screenings/1/reservations", json={"seats": ["A1"]})).status_code == 201
        await ear.next()  # the confirmation
        await ear.next()
        while (await figures_of(client))["usher_live_lag_seconds_count"] != 1:
            pass
    after = await figures_of(client)

    assert listening['usher_live_listeners{door="websocket"}'] == 1
    assert after['usher_live_listeners{door="websocket"}'] == 0
    assert {f'usher_database_connections{{state="{state}"}}' for state in ("in_use", "idle")} <= after.keys()


async def test_payments_are_counted_and_what_is_to_go_back_in_every_process(
    client: AsyncClient, open_app: OpenApp, database: Connection
) -> None:
    elsewhere = await open_app()
    buyer = await guest(client, "ada@example.org")
    first = await buyer.book("A1")
    wanted = {"screening_id": 1, "seats": ["A2"], "payment": {"token": "declined"}}
    assert (await buyer.post("/bookings", wanted)).status_code == 402
    await buyer.delete(f"/bookings/{first['id']}")

    for process in (client, elsewhere):
        await resources_of(process).refunds.count()
    owing, owing_there = await figures_of(client), await figures_of(elsewhere)
    await database.execute("UPDATE refunds SET next_try_at = now()")
    await resources_of(elsewhere).refunds.carry_out()
    for process in (client, elsewhere):
        await resources_of(process).refunds.count()

    assert owing['usher_payments_total{outcome="captured",provider="dummy"}'] == 1
    assert owing['usher_payments_total{outcome="failed",provider="dummy"}'] == 1
    backlog = 'usher_outbox_backlog{kind="refunds"}'
    assert owing[backlog] == owing_there[backlog] == 1
    assert [(await figures_of(process))[backlog] for process in (client, elsewhere)] == [0, 0]

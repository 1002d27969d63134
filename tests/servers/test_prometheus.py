"""A real Prometheus: it takes our figures and our alerts, and every query answers something under a little load."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import yaml

from app.settings import Settings
from tests.forking import Forker
from tests.patience import PATIENCE_SECONDS, patience
from tests.proxies.test_proxies import free_port, process, serving, until_it_listens
from tests.services.test_measures import ROOT, queries

_COMPARED: Final = re.compile(r"\s*(?:>|<|==)\s*[\d.]+$")
"""What an alert compares with: without it, it answers also while all is well."""


@asynccontextmanager
async def prometheus(directory: Path, figures: int) -> AsyncIterator[httpx.AsyncClient]:
    """One that looks at this port every second, by the rules of ops/."""
    found = shutil.which("prometheus")
    if found is None:
        pytest.skip("needs Prometheus (Debian: prometheus)")
    port = free_port()
    told: dict[str, Any] = yaml.safe_load((ROOT / "ops/prometheus/prometheus.yml").read_text())
    told["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    told["rule_files"] = [str(ROOT / "ops/prometheus/alerts.yml")]
    [scraped] = told["scrape_configs"]
    del scraped["dns_sd_configs"]
    scraped["static_configs"] = [{"targets": [f"127.0.0.1:{figures}"]}]
    (directory / "prometheus.yml").write_text(yaml.safe_dump(told))
    options = {
        "config.file": str(directory / "prometheus.yml"),
        "storage.tsdb.path": str(directory / "data"),
        "web.listen-address": f"127.0.0.1:{port}",
        "log.level": "error",
    }
    with process(found, *(f"--{name}={value}" for name, value in options.items())) as running:
        await until_it_listens(port, running)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=PATIENCE_SECONDS) as client:
            yield client


async def sell_a_little(usher: httpx.AsyncClient, label: str) -> None:
    """Something of everything that is counted."""
    holds = "/screenings/1/reservations"
    who = (await usher.post("/auth/guest", json={"email": "ada@example.org"})).json()["access_token"]
    buyer = {"Authorization": f"Bearer {who}"}
    for token, status in (("declined", 402), ("unavailable", 503), ("ok", 201)):
        wanted = {"screening_id": 1, "seats": [label], "payment": {"token": token}}
        assert (await usher.post("/bookings", json=wanted, headers=buyer)).status_code == status
    assert (await usher.post(holds, json={"seats": [label]})).status_code == 409
    assert (await usher.post(holds, json={"seats": ["D1"]})).status_code in (201, 409)
    assert (await usher.get("/screenings/1/seats")).status_code == 200


async def test_every_query_answers_something_under_a_little_load(
    settings: Settings, forker: Forker, tmp_path: Path
) -> None:
    port, figures = free_port(), free_port()
    own = {
        "DATABASE_URL": settings.database_url or "",
        "REDIS_URL": settings.redis_url or "",
        "JWT_SECRET": settings.jwt_secret or "",
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "METRICS_PORT": str(figures),
        "RATE_LIMITS": "off",
        "RESERVATION_TIMEOUT": "1",
        "ANONYMOUS_HOLDS_PER_ADDRESS": "80",
    }
    with serving(forker, **own) as running:
        await until_it_listens(port, running)
        await until_it_listens(figures, running)
        async with (
            prometheus(tmp_path, figures) as asked,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_SECONDS) as usher,
            usher.stream("GET", "/screenings/1/live") as live,
        ):
            assert live.status_code == 200
            silent = set(queries())
            labels = (f"{row}{number}" for row in "ABC" for number in range(1, 21))
            async with patience():
                while silent:
                    await sell_a_little(usher, next(labels))
                    await asyncio.sleep(1.0)  # Prometheus looks once a second
                    silent = {query for query in silent if not await _answers(asked, query)}
            rules = (await asked.get("/rules")).json()["data"]["groups"][0]["rules"]

    assert {rule["health"] for rule in rules} == {"ok"}
    assert len(rules) == len(yaml.safe_load((ROOT / "ops/prometheus/alerts.yml").read_text())["groups"][0]["rules"])


async def _answers(asked: httpx.AsyncClient, query: str) -> bool:
    """Whether it gives at least one number."""
    answer = (await asked.get("/query", params={"query": _COMPARED.sub("", query)})).json()
    assert answer["status"] == "success", answer
    return any(each["value"][1] != "NaN" for each in answer["data"]["result"])

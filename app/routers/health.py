"""For operators and their machines: is it up, may it get traffic (docs/api.md, section 11)."""

import asyncio
from typing import Any

from fastapi import APIRouter

from app import __version__
from app.adapters.prometheus import MEDIA_TYPE
from app.dependencies import Figures, Health
from app.http.replies import Reply
from app.http.request import ApiRequest
from app.http.runner.declarations import ignores_unknown_parameters
from app.http.runner.routes import BASE, ApiRoute
from app.schemas.format.faults import NoSuchPath
from app.schemas.format.moments import encoded
from app.schemas.health import HealthOut
from app.services.health import Condition, Report

_checks = APIRouter(prefix="/health", tags=["operators"], route_class=ApiRoute)

_DOWN: dict[int | str, dict[str, Any]] = {
    503: {
        "model": HealthOut,
        "description": "Seats cannot be taken: PostgreSQL is not there, cannot be written, or has not the schema.",
    }
}


@_checks.get("", summary="How is everything?", response_model=HealthOut, responses=_DOWN)
@ignores_unknown_parameters
async def check_health(health: Health) -> Reply:
    """PostgreSQL, Redis and the schema. `down`: seats cannot be sold. `degraded`: they are, only slower.

    `advice` says what to do about a part that is there and of no use.
    """
    return _reply(await health.report())


@_checks.get("/ready", summary="May it get traffic?", response_model=HealthOut, responses=_DOWN)
@ignores_unknown_parameters
async def check_readiness(health: Health) -> Reply:
    """200 when seats can be taken, 503 when a balancer should ask another process."""
    return _reply(await health.report())


@_checks.get(
    "/live",
    summary="Is the process alive?",
    response_model=dict[str, str],
    responses={200: {"content": {"application/json": {"example": {"status": "ok"}}}}},
)
@ignores_unknown_parameters
async def check_liveness() -> Reply:
    """Always 200 while the process answers at all, whatever has become of PostgreSQL: restarting it would not help."""
    return Reply(b'{"status":"ok"}')


def _reply(report: Report) -> Reply:
    checks = {"postgresql": report.postgresql, "redis": report.redis, "migrations": report.migrations}
    body = {
        "status": report.status,
        "checks": {**checks, "nodes": report.nodes} if report.nodes else checks,
        **({"advice": report.advice} if report.advice else {}),
        "version": __version__,
    }
    return Reply(encoded(body), 503 if report.status is Condition.DOWN else 200)


metrics = APIRouter(prefix="/metrics", route_class=ApiRoute, include_in_schema=False)


@metrics.get(
    "",
    summary="Figures for Prometheus",
)
@ignores_unknown_parameters
async def show_metrics(request: ApiRequest, figures: Figures) -> Reply:
    """The figures of all workers together, in Prometheus' text format, for callers from `METRICS_FROM`; 404 for others,
    and when it has a port of its own (`METRICS_PORT`).
    """
    settings, scope = request.resources.settings, request.scope
    is_direct = request.resources.proxies.is_direct(scope.get("client"), scope["headers"], settings.metrics_from)
    if settings.metrics_port is not None or not is_direct:
        raise NoSuchPath
    return Reply(await asyncio.to_thread(figures.page), media_type=MEDIA_TYPE)


# At the root, where balancers look for it, and under the other base paths for whoever knows only those.
router = APIRouter()
router.include_router(_checks)
router.include_router(metrics)
router.include_router(_checks, prefix=BASE, include_in_schema=False)

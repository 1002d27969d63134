"""For operators and their machines: is it up, may it get traffic (docs/api.md, section 11)."""

from typing import Any

from fastapi import APIRouter

from app import __version__
from app.dependencies import Health
from app.http.replies import Reply
from app.http.routes import ApiRoute
from app.schemas.format.moments import encoded
from app.schemas.health import HealthOut
from app.services.health import Condition, Report

router = APIRouter(prefix="/health", tags=["operators"], route_class=ApiRoute)

_DOWN: dict[int | str, dict[str, Any]] = {
    503: {"model": HealthOut, "description": "Seats cannot be taken: PostgreSQL or its schema is not there."}
}


@router.get("", summary="How is everything?", response_model=HealthOut, responses=_DOWN)
async def check_health(health: Health) -> Reply:
    """PostgreSQL, Redis and the schema. `degraded`: it works without Redis, only slower."""
    return _reply(await health.report())


@router.get("/ready", summary="May it get traffic?", response_model=HealthOut, responses=_DOWN)
async def check_readiness(health: Health) -> Reply:
    """200 when seats can be taken, 503 when a balancer should ask another process."""
    return _reply(await health.report())


@router.get("/live", summary="Is the process alive?", response_model=dict[str, str])
async def check_liveness() -> Reply:
    """Always 200 while the process answers at all, whatever has become of PostgreSQL: restarting it would not help."""
    return Reply(b'{"status":"ok"}')


def _reply(report: Report) -> Reply:
    body = {
        "status": report.status,
        "checks": {"postgresql": report.postgresql, "redis": report.redis, "migrations": report.migrations},
        "version": __version__,
    }
    return Reply(encoded(body), 503 if report.status is Condition.DOWN else 200)

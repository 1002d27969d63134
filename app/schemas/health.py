"""The health of the service in JSON (docs/api.md, section 11)."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class ChecksOut(BaseModel):
    """The state of each thing that Usher needs."""

    postgresql: Literal["ok", "down"]
    redis: Literal["ok", "down"]
    migrations: Literal["ok", "newer", "down"] = Field(
        description="`newer`: a newer release has upgraded the schema, and this process serves on until it is replaced."
    )
    nodes: dict[str, Literal["ok", "down"]] | None = Field(
        None,
        description="The nodes of a PostgreSQL that has many (Citus), by their addresses; not there if it is one "
        "machine. Of a node that is down, only its own screenings cannot be sold.",
    )


class HealthOut(BaseModel):
    """The state of the service now."""

    status: Literal["ok", "degraded", "down"]
    checks: ChecksOut
    version: str = Field(examples=["0.1.0"])

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"status": "ok", "checks": {"postgresql": "ok", "redis": "ok", "migrations": "ok"}, "version": "0.1.0"}
            ]
        }
    )

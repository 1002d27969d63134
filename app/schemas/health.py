"""The health of the service in JSON (docs/api.md, section 11)."""

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

_FULL: Final = "Redis is full (maxmemory): give it more, or set maxmemory-policy allkeys-lru."


class ChecksOut(BaseModel):
    """The state of each thing that Usher needs."""

    postgresql: Literal["ok", "read-only", "forbidden", "down"] = Field(
        description="`read-only`: a standby, or set to be. `forbidden`: the role lacks rights. Nothing is sold then."
    )
    redis: Literal["ok", "read-only", "full", "forbidden", "down"] = Field(
        description="`read-only`: a replica. `full`: it has no memory left. `forbidden`: it refuses to be written. "
        "Maps come from PostgreSQL meanwhile, and seats are sold."
    )
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
    advice: dict[str, str] | None = Field(
        None, description="What to do about a part that is there and of no use, by its name; else not there."
    )
    version: str = Field(examples=["0.1.0"])

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"status": "ok", "checks": {"postgresql": "ok", "redis": "ok", "migrations": "ok"}, "version": "0.1.0"},
                {
                    "status": "degraded",
                    "checks": {"postgresql": "ok", "redis": "full", "migrations": "ok"},
                    "advice": {"redis": _FULL},
                    "version": "0.1.0",
                },
            ]
        }
    )

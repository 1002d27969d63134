"""How the settings are written down: README's table, `.env.example`, and what `usher settings` prints."""

import textwrap
from collections.abc import Iterator
from enum import Enum
from typing import Any, Final

from pydantic_core import PydanticUndefined

from app.settings.fields import Settings

_WIDTH: Final = 120
_HEAD: Final = """\
# Every setting, with its default. For `docker compose`, copy this file to .env. For `make run`, put settings in front
# of the command: PORT=9000 make run. An empty value counts as not set. If a value is not allowed, Usher does not start.
# A secret may be in a file instead: JWT_SECRET_FILE=/run/secrets/jwt_secret.

# The password of the PostgreSQL that docker-compose.yml starts; it becomes part of a URL: openssl rand -hex 24
POSTGRES_PASSWORD=

# Where docker-compose.yml serves what its profiles add, on this machine: nginx (scale), Prometheus and Grafana
# (observability).
#PROXY_PORT=8080
#PROMETHEUS_PORT=9091
#GRAFANA_PORT=3000
"""
_TO_FILL_IN: Final = frozenset({"JWT_SECRET"})


def markdown() -> str:
    """The table of README: variable, default, meaning."""
    rows = [f"| `{name}` | {f'`{default}`' if default else ''} | {about} |" for name, default, about in _settings()]
    return "\n".join(["| variable | default | meaning |", "|---|---|---|", *rows, ""])


def example() -> str:
    """`.env.example`: every setting, commented out unless it is to be filled in."""
    said = [_HEAD]
    for name, default, about in _settings():
        comment = textwrap.fill(about, _WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)
        said.append(f"{comment}\n{'' if name in _TO_FILL_IN else '#'}{name}={default}\n")
    return "\n".join(said)


def effective(settings: Settings) -> str:
    """A line for each setting as it is now. What differs from its default is marked with `*`; secrets are not shown."""
    lines = []
    for name, default, _ in _settings():
        now = written(getattr(settings, name.lower()))
        is_secret = not Settings.model_fields[name.lower()].repr
        lines.append(f"{' ' if now == default else '*'} {name}={'(not shown)' if now and is_secret else now}")
    return "\n".join(lines)


def written(value: Any) -> str:
    """A value as somebody would write it into the environment."""
    match value:
        case None | ():
            return ""
        case bool():
            return "on" if value else "off"
        case Enum():
            return str(value.value)
        case (int(many), int(seconds)):
            return f"{many}/{_UNITS[seconds]}"
        case tuple():
            return ",".join(_address(each) for each in value)
        case _:
            return str(value)


_UNITS: Final = {1: "second", 60: "minute", 3_600: "hour", 86_400: "day"}


def _address(value: object) -> str:
    """A network; one of a single address as that address."""
    return str(value).removesuffix("/32").removesuffix("/128")


def _settings() -> Iterator[tuple[str, str, str]]:
    for name, field in Settings.model_fields.items():
        default = field.default
        if default is PydanticUndefined:
            default = field.get_default(call_default_factory=True, validated_data={"reservation_timeout": 300})
        yield name.upper(), written(default), field.description or ""

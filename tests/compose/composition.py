"""docker-compose.yml as Compose reads it: variables filled in, the services of a profile, in an order of start."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, Final

import yaml
from dotenv import dotenv_values

ROOT: Final = Path(__file__).parents[2]
FILE: Final = ROOT / "docker-compose.yml"

_NAME: Final = re.compile(r"\$(?:(\$)|(\w+)|\{(\w+)(:-|:\?)?)")


class NotSet(Exception):
    """What Compose says when a variable that must be set is not."""


def filled_in(text: str, variables: Mapping[str, str]) -> str:
    """A text with its variables: $NAME, ${NAME}, ${NAME:-instead}, ${NAME:?why}, one within the other; $$ is a dollar.

    Raises:
        NotSet: a variable that must be set is not.
    """
    said, at = "", 0
    while found := _NAME.search(text, at):
        said += text[at : found.start()]
        at = found.end()
        if found[1]:
            said += "$"
            continue
        value = variables.get(found[2] or found[3], "")
        if found[3]:
            end = _end_of(text, at)
            rest, at = text[at:end], end + 1
            if found[4] == ":-":
                value = value or filled_in(rest, variables)
            elif found[4] == ":?" and not value:
                raise NotSet(f"{found[3]}: {rest}")
        said += value
    return said + text[at:]


def _end_of(text: str, at: int) -> int:
    """Where the brace ends that was opened before this place."""
    depth = 1
    for place in range(at, len(text)):
        depth += (text[place] == "{") - (text[place] == "}")
        if depth == 0:
            return place
    raise ValueError(f"a brace is not closed: {text}")


def variables_of(text: str) -> set[str]:
    """The names of the variables that a text asks for."""
    return {found[2] or found[3] for found in _NAME.finditer(text) if not found[1]}


@dataclass(frozen=True, slots=True)
class Service:
    """One service of the file, filled in."""

    name: str
    said: Mapping[str, Any]

    def environment(self, env_file: Path) -> dict[str, str]:
        """Its variables: those of .env, where it takes that, and over them its own."""
        own = {name: str(value) for name, value in self.said.get("environment", {}).items()}
        if "env_file" not in self.said:
            return own
        return {name: value or "" for name, value in dotenv_values(env_file).items()} | own

    @property
    def waits_for(self) -> Mapping[str, str]:
        """The services that come before it, and what must have become of them."""
        return {name: how["condition"] for name, how in self.said.get("depends_on", {}).items()}


def raw() -> dict[str, Any]:
    """The file as it is, with what it repeats by name put in."""
    said: dict[str, Any] = yaml.safe_load(FILE.read_text())
    return said


def services(env_file: Path, *profiles: str) -> list[Service]:
    """The services that `docker compose` starts with these profiles and this .env, in an order in which it could.

    Raises:
        NotSet: a variable that must be set is not.
    """
    variables = {name: value or "" for name, value in dotenv_values(env_file).items()}
    everything = _filled(raw()["services"], variables)
    chosen = {
        name: Service(name, said)
        for name, said in everything.items()
        if not said.get("profiles") or set(said["profiles"]) & set(profiles)
    }
    order = TopologicalSorter({name: set(service.waits_for) for name, service in chosen.items()}).static_order()
    return [chosen[name] for name in order]


def _filled(value: Any, variables: Mapping[str, str]) -> Any:
    match value:
        case str():
            return filled_in(value, variables)
        case dict():
            return {name: _filled(each, variables) for name, each in value.items()}
        case list():
            return [_filled(each, variables) for each in value]
        case _:
            return value

"""The Dockerfile as its builder reads it: stages of instructions."""

import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]


@dataclass(slots=True)
class Stage:
    """One FROM and what follows it, up to the next."""

    base: str
    name: str | None
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def all(self, word: str) -> list[str]:
        """What every instruction of this kind says."""
        return [said for instruction, said in self.instructions if instruction == word]

    @property
    def environment(self) -> dict[str, str]:
        """The variables that it sets, as they are written."""
        return dict(pair.split("=", 1) for said in self.all("ENV") for pair in shlex.split(said))

    @property
    def copied(self) -> list[str]:
        """The files and folders that it takes from the directory of the Dockerfile."""
        return [path for said in self.all("COPY") if not said.startswith("--from") for path in said.split()[:-1]]

    @property
    def command(self) -> Sequence[str]:
        """What is run, unless something else is said."""
        command: list[str] = json.loads(self.all("CMD")[-1])
        return command

    @property
    def healthcheck(self) -> Sequence[str]:
        """What says whether it is well."""
        check: list[str] = json.loads(self.all("HEALTHCHECK")[-1].partition("CMD")[2])
        return check


def stages() -> list[Stage]:
    """The stages, in order. The last one is the image."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    found: list[Stage] = []
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        word, _, said = line.partition(" ")
        if word == "FROM":
            base, _, name = said.partition(" AS ")
            found.append(Stage(base, name or None))
        elif word:
            found[-1].instructions.append((word, said))
    return found


def is_let_through(path: str) -> bool:
    """Whether .dockerignore lets the builder see it: everything is kept from it but what is named."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    return lines[0] == "*" and f"!{path.removeprefix('./')}" in lines

"""Reads the settings: from environment variables, secrets also from files. Nothing else reads the environment.

Whatever is not allowed ends the program, with a line for each mistake that says what was given and what is allowed.
Secrets are never shown.
"""

import os
import re
import sys
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from app.settings.fields import Settings

EXIT_BAD_SETTING: Final = 3

NAMES: Final = frozenset(name.upper() for name in Settings.model_fields)
SECRETS: Final = frozenset(name.upper() for name, field in Settings.model_fields.items() if not field.repr)
"""What may be in a file: NAME_FILE says in which."""

_LARGEST_SECRET_FILE: Final = 65_536
_ALIKE: Final = 0.83
"""From here on a name is taken for a slip: JWT_SECRET_KEY for JWT_SECRET, DATABASE_URI for DATABASE_URL."""

# Kubernetes gives every container the addresses of the services beside it; one is likely to be called usher.
_KUBERNETES: Final = re.compile(r"USHER(_\w+)?_(SERVICE_(HOST|PORT)(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)")
_OF_TESTS: Final = "USHER_TEST_"
_OF_OPENTELEMETRY: Final = "OTEL_"
"""Its SDK reads many more than those that are settings here."""


class BadSettings(Exception):
    """Settings that are not allowed. The text has one line for each mistake, and never a secret."""


def read_settings() -> Settings:
    """The settings from the environment.

    Raises:
        BadSettings: a value is not allowed, a required one is missing, or a file with a secret cannot be read.
    """
    secrets, lines = _from_files(os.environ)
    try:
        settings = Settings(**secrets)
    except ValidationError as error:
        lines |= _mistakes(error, secrets)
    if lines:
        raise BadSettings("\n".join(sorted(lines)))
    return settings


def settings_or_exit() -> Settings:
    """The settings from the environment. If one is not allowed, ends the program with exit code 3 and says why.

    What looks misspelt is said, too: what is missing may be there under another name.
    """
    try:
        return read_settings()
    except BadSettings as bad:
        sys.stderr.write("".join(f"{line}\n" for line in (str(bad), *slips())))
        sys.exit(EXIT_BAD_SETTING)


def set_for_workers(values: Mapping[str, str]) -> None:
    """Write settings into the environment, where the processes that this one starts find them; no files any more."""
    for name, value in values.items():
        os.environ.pop(f"{name}_FILE", None)
        os.environ[name] = value


def slips() -> list[str]:
    """Variables of the environment that look like a setting and are none: a line for each."""
    known = NAMES | {f"{name}_FILE" for name in SECRETS}
    found = []
    for given in sorted(name for name, value in os.environ.items() if value):
        name = given.upper()
        if name in known or name.startswith((_OF_TESTS, _OF_OPENTELEMETRY)) or _KUBERNETES.fullmatch(name):
            continue
        if alike := get_close_matches(name, sorted(known), n=1, cutoff=_ALIKE):
            found.append(f"{given} is set, but is no setting. Did you mean {alike[0]}?")
        elif name.startswith("USHER_"):
            found.append(f"{given} is set, but is no setting. The settings: ./usher settings")
    return found


def _from_files(environment: Mapping[str, str]) -> tuple[dict[str, Any], set[str]]:
    """The secrets that are in files, by field; and what is wrong with those that cannot be had."""
    given = {name.upper(): value for name, value in environment.items() if value}
    found: dict[str, Any] = {}
    lines: set[str] = set()
    for name in SECRETS & {each.removesuffix("_FILE") for each in given if each.endswith("_FILE")}:
        path = given[f"{name}_FILE"]
        if name in given:
            lines.add(f"{name} and {name}_FILE are both set: set one of them")
            continue
        try:
            found[name.lower()] = _read(Path(path))
        except ValueError as reason:
            lines.add(f"{name}_FILE={path} is not allowed: {reason}")
    return found, lines


def _read(path: Path) -> str:
    """What a file says, without the end of the line. Raises ValueError, which says why not."""
    try:
        with path.expanduser().open("rb") as file:
            content = file.read(_LARGEST_SECRET_FILE + 1)
    except OSError as error:
        raise ValueError(f"it cannot be read ({error.strerror})") from None
    if len(content) > _LARGEST_SECRET_FILE:
        raise ValueError("it is too large for a secret")
    try:
        text = content.decode().strip("\r\n")
    except UnicodeDecodeError:
        raise ValueError("it is not text (UTF-8)") from None
    if not text:
        raise ValueError("it is empty")
    return text


def _mistakes(error: ValidationError, secrets: Mapping[str, Any]) -> set[str]:
    """All that is wrong, a line for each: the values, and what does not go together among those that are well."""
    lines: set[str] = set()
    wrong: set[str] = set()
    for problem in error.errors():
        if problem["type"] == "default_factory_not_called":
            continue
        lines.update(_lines(problem))
        wrong.update(str(name) for name in problem["loc"][:1])
    if not wrong:
        return lines
    try:
        Settings(**{**secrets, **{name: _instead_of(name) for name in wrong}})
    except ValidationError as further:
        said = {line for problem in further.errors() if not problem["loc"] for line in _lines(problem)}
        lines.update(line for line in said if not any(re.search(rf"\b{name.upper()}\b", line) for name in wrong))
    return lines


def _instead_of(name: str) -> object:
    """Something that is allowed, in the place of what is not."""
    field = Settings.model_fields[name]
    return field.get_default(call_default_factory=True, validated_data={"reservation_timeout": 86_400})


def _lines(problem: ErrorDetails) -> list[str]:
    """A line about one bad setting: its name, what was given (unless it is a secret), what is allowed."""
    if not problem["loc"]:
        return str(problem["ctx"]["error"]).splitlines()
    name = str(problem["loc"][0])
    given = str(problem["input"])[:80] if Settings.model_fields[name].repr else "(not shown)"
    return [f"{name.upper()}={given} is not allowed: {_allowed(name, problem)}"]


def _allowed(name: str, problem: ErrorDetails) -> str:
    rules = Settings.model_fields[name].metadata
    bounds = {bound: getattr(rule, bound) for rule in rules for bound in ("ge", "gt", "le") if hasattr(rule, bound)}
    match problem["type"]:
        case "value_error":
            return str(problem["ctx"]["error"])
        case "bool_parsing":
            return "on or off"
        case "enum":
            return str(problem["ctx"]["expected"]).replace("'", "")
        case _ if "gt" in bounds and "ge" not in bounds:
            return f"more than 0, up to {bounds['le']}"
        case _ if "ge" in bounds:
            return f"{'a number' if 'gt' in bounds else 'a whole number'} from {bounds['ge']} to {bounds['le']}"
        case _:
            return problem["msg"]

"""The parts of a URL of a server: who, where (several hosts, IPv6, none at all), what, and how."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address
from typing import Final, NamedTuple
from urllib.parse import unquote, unquote_plus

LARGEST_PORT: Final = 65_535

_ENCODE: Final = "characters such as / ? # @ and : in a user or password are written %2F %3F %23 %40 %3A"
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,40}")


class Host(NamedTuple):
    """A machine, or the directory of a Unix socket; `port` None: the usual one."""

    name: str
    port: int | None


@dataclass(frozen=True, slots=True)
class Parts:
    """A URL in its parts, each of them decoded."""

    scheme: str
    user: str | None
    password: str | None
    hosts: tuple[Host, ...]
    path: str
    """With its slash."""
    parameters: dict[str, str]
    """Of several with one name, the last."""


def parts_of(url: str, schemes: Collection[str], understood: Collection[str], example: str) -> Parts:
    """The parts of a URL with one of these schemes and of these parameters. `example`: how one looks.

    Raises:
        ValueError: it is none; the text says what is wrong, and nothing of what was given but names of parameters.
    """
    scheme, separator, rest = url.strip().partition("://")
    if not separator or scheme.lower() not in schemes:
        raise ValueError(example)
    if "#" in rest:
        raise ValueError(f"no # in it; {_ENCODE}")
    rest, _, query = rest.partition("?")
    authority, slash, path = rest.partition("/")
    who, _, where = authority.rpartition("@")
    if "@" in path:
        raise ValueError(f"{example}; {_ENCODE}")
    user, colon, password = who.partition(":")
    return Parts(
        scheme.lower(),
        _decoded(user, "the user") if user else None,
        _decoded(password, "the password") if colon else None,
        hosts_of(where),
        _decoded(slash + path, "the path"),
        _parameters(query, understood),
    )


def hosts_of(written: str) -> tuple[Host, ...]:
    """Hosts, separated by commas, with or without ports. Raises ValueError."""
    return tuple(_host(each) for each in written.split(",")) if written else ()


def port_of(written: str) -> int:
    """A port. Raises ValueError."""
    if not re.fullmatch("[0-9]{1,5}", written) or not 0 < int(written) <= LARGEST_PORT:
        raise ValueError(f"a port is a number from 1 to {LARGEST_PORT}; {_ENCODE}")
    return int(written)


def _host(written: str) -> Host:
    if written.startswith("["):
        name, bracket, rest = written[1:].partition("]")
        name = unquote(name)
        try:
            IPv6Address(name)
        except AddressValueError:
            bracket = ""
        if not bracket or (rest and not rest.startswith(":")):
            raise ValueError("an IPv6 address is written [::1], with its port [::1]:5432")
        return Host(name, port_of(rest[1:]) if rest else None)
    name, colon, port = written.partition(":")
    name = _decoded(name, "the host")
    if ":" in port and not name.startswith("/"):
        raise ValueError("an IPv6 address is written in brackets, [::1]")
    if not name or "@" in name or any(each.isspace() for each in name):
        raise ValueError(f"a host is missing or has characters that no host has; {_ENCODE}")
    return Host(name, port_of(port) if colon and port else None)


def _parameters(query: str, understood: Collection[str]) -> dict[str, str]:
    written = [part.partition("=") for part in query.split("&")] if query else []
    if unknown := {name for name, _, _ in written if name not in understood}:
        if "@" in query or not all(map(_NAME.fullmatch, unknown)):  # a password may be cut in two by its question mark
            raise ValueError(f"parameters are written ?name=value&name=value; {_ENCODE}")
        raise not_understood(unknown, understood)
    found: dict[str, str] = {}
    for name, _, value in written:
        if not value:
            raise ValueError(f"{name} has no value")
        decoded = _decoded(value, name, plus=True)
        # SQLAlchemy writes several hosts as several parameters.
        found[name] = f"{found[name]},{decoded}" if name == "host" and name in found else decoded
    return found


def _decoded(text: str, what: str, *, plus: bool = False) -> str:
    try:
        decoded = (unquote_plus if plus else unquote)(text, errors="strict")
    except UnicodeDecodeError:
        raise ValueError(f"{what} is not in UTF-8") from None
    if any(ord(each) < 0x20 or ord(each) == 0x7F for each in decoded):
        raise ValueError(f"{what} has a control character in it")
    return decoded


def one_of(name: str, value: str, allowed: Collection[str]) -> str:
    """The value. Raises ValueError if it is not allowed."""
    if value not in allowed:
        raise ValueError(f"{name} is one of {', '.join(allowed)}")
    return value


def not_understood(names: Collection[str], understood: Collection[str]) -> ValueError:
    """What to raise for parameters that nobody here understands."""
    return ValueError(f"{', '.join(sorted(names))}: not understood; understood are {', '.join(sorted(understood))}")

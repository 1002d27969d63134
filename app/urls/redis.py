"""How a URL of Redis or Valkey is read: of one server, by TCP, TLS or a socket, or of the sentinels that know one.

What decides how Usher itself speaks (how answers are decoded, timeouts, how many connections) is not for a URL to say:
libraries write such parameters for themselves. They are accepted, and mean nothing here.
"""

import ssl
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Final

from app.urls.parts import Host, one_of, parts_of

EXAMPLE: Final = (
    "redis://host:6379/0, rediss://..., valkey://..., valkeys://..., unix:///path/to/socket, "
    "or redis+sentinel://host:26379,host:26379/name/0"
)
PORT: Final = 6379
SENTINEL_PORT: Final = 26379

_PLAIN: Final = ("redis", "valkey")
_ENCRYPTED: Final = ("rediss", "valkeys")
_SENTINEL: Final = tuple(f"{scheme}+sentinel" for scheme in (*_PLAIN, *_ENCRYPTED))
SCHEMES: Final = (*_PLAIN, *_ENCRYPTED, "unix", *_SENTINEL)

_TLS: Final = ("ssl_ca_certs", "ssl_cert_reqs", "ssl_certfile", "ssl_check_hostname", "ssl_keyfile")
_MEANT: Final = frozenset({"client_name", "db", "password", "username"})
_OF_SENTINELS: Final = frozenset({"sentinel_password", "sentinel_username", "service_name"})
_OURS: Final = frozenset(
    {
        "decode_responses",
        "encoding",
        "encoding_errors",
        "health_check_interval",
        "legacy_responses",
        "max_connections",
        "protocol",
        "retry_on_timeout",
        "socket_connect_timeout",
        "socket_keepalive",
        "socket_timeout",
        "timeout",
    }
)
UNDERSTOOD: Final = _MEANT | _OF_SENTINELS | _OURS | frozenset(_TLS)


@dataclass(frozen=True, slots=True)
class RedisUrl:
    """Which server, and how to connect to it."""

    hosts: tuple[tuple[str, int], ...]
    """The server, or its sentinels; none: it is a socket."""
    socket: str | None
    service: str | None
    """The name that sentinels have for the server; None: it is meant itself."""
    database: int
    is_encrypted: bool
    login: dict[str, str] = field(repr=False)
    """For the server: username, password, client_name."""
    sentinel_login: dict[str, str] = field(repr=False)
    tls: dict[str, Any] = field(repr=False)
    """As redis-py has it."""


def read(url: str) -> RedisUrl:
    """What a URL says.

    Raises:
        ValueError: something in it is not understood or not allowed. The text names it, and has no secret in it.
    """
    parts = parts_of(url, SCHEMES, UNDERSTOOD, EXAMPLE)
    given = parts.parameters
    has_sentinels, is_socket = parts.scheme in _SENTINEL, parts.scheme == "unix"
    is_encrypted = parts.scheme.partition("+")[0] in _ENCRYPTED
    _must_belong("rediss:// or valkeys://", given, () if is_encrypted else _TLS)
    _must_belong("redis+sentinel://", given, () if has_sentinels else _OF_SENTINELS)
    if is_socket and (parts.hosts or len(parts.path) < 2):
        raise ValueError("the path of a socket begins with a slash: unix:///path/to/socket")
    if len(parts.hosts) > 1 and not has_sentinels:
        raise ValueError("several hosts are sentinels: redis+sentinel://host:26379,host:26379/name")
    service, database = _service(parts.path, given) if has_sentinels else (None, "" if is_socket else parts.path[1:])
    usual = SENTINEL_PORT if has_sentinels else PORT
    hosts = parts.hosts or (() if is_socket else (Host("localhost", None),))
    return RedisUrl(
        hosts=tuple((host.name, host.port or usual) for host in hosts),
        socket=parts.path if is_socket else None,
        service=service,
        database=_database(given.get("db", database)),
        is_encrypted=is_encrypted,
        login=_present(
            username=parts.user or given.get("username"),
            password=parts.password or given.get("password"),
            client_name=given.get("client_name"),
        ),
        sentinel_login=_present(username=given.get("sentinel_username"), password=given.get("sentinel_password")),
        tls=_tls(given),
    )


def normal(url: str) -> str:
    """The URL as it was given, without spaces around it. Raises ValueError as `read` does."""
    read(url)
    return url.strip()


def _must_belong(scheme: str, given: Collection[str], to_another: Collection[str]) -> None:
    if found := sorted(set(given).intersection(to_another)):
        raise ValueError(f"{', '.join(found)} needs {scheme}")


def _service(path: str, given: dict[str, str]) -> tuple[str, str]:
    """The name that sentinels have for the server, and the number of the database."""
    name, _, database = path.removeprefix("/").partition("/")
    if "service_name" in given:
        return given["service_name"], database or name
    if not name:
        raise ValueError("redis+sentinel:// needs the name that sentinels have for the server: .../name, or .../name/0")
    return name, database


def _database(written: str) -> int:
    if not written:
        return 0
    if not (written.isascii() and written.isdigit() and len(written) < 6):
        raise ValueError("the database (db, or the path) is a number, 0 or more")
    return int(written)


def _present(**given: str | None) -> dict[str, str]:
    return {name: value for name, value in given.items() if value}


def _tls(given: dict[str, str]) -> dict[str, Any]:
    tls: dict[str, Any] = {name: value for name, value in given.items() if name in _TLS}
    if "ssl_cert_reqs" in tls:
        wanted = tls["ssl_cert_reqs"].lower().removeprefix("cert_")
        tls["ssl_cert_reqs"] = one_of("ssl_cert_reqs", wanted, ("required", "optional", "none"))
    hostname = tls.get("ssl_check_hostname", "true" if tls.get("ssl_cert_reqs", "required") == "required" else "false")
    tls["ssl_check_hostname"] = one_of("ssl_check_hostname", hostname.lower(), ("true", "false")) == "true"
    scratch = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if "ssl_ca_certs" in tls:
            scratch.load_verify_locations(cafile=tls["ssl_ca_certs"])
    except OSError:
        raise ValueError("ssl_ca_certs cannot be used: it is not there, or not in PEM") from None
    if "ssl_keyfile" in tls and "ssl_certfile" not in tls:
        raise ValueError("ssl_keyfile needs ssl_certfile")
    try:
        if "ssl_certfile" in tls:
            scratch.load_cert_chain(tls["ssl_certfile"], tls.get("ssl_keyfile"), password=lambda: "")
    except OSError:
        raise ValueError("ssl_certfile with ssl_keyfile cannot be used: not there, not in PEM, or no pair") from None
    return tls

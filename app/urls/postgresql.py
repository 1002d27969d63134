"""How a URL of PostgreSQL is read: what libpq calls a connection URI, as hosting companies hand them out.

`asyncpg` reads a part of it by itself, and takes the rest for settings of the server. So each parameter is read here,
and handed over by the name that asyncpg has for it.
"""

import ssl
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

from app.urls.parts import Host, hosts_of, one_of, parts_of, port_of

EXAMPLE: Final = "postgresql://user:password@host:5432/database"
SCHEMES: Final = ("postgresql", "postgres", "postgresql+asyncpg")
SSL_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
ENCRYPTED: Final = SSL_MODES[3:]
VERIFIED: Final = SSL_MODES[4:]
OF_THE_SYSTEM: Final = "system"
"""The value of sslrootcert for the certificates that this machine trusts."""

_TLS: Final = frozenset(
    {
        "sslcert",
        "sslcrl",
        "sslkey",
        "sslmode",
        "sslnegotiation",
        "sslpassword",
        "sslrootcert",
        "ssl_max_protocol_version",
        "ssl_min_protocol_version",
    }
)
"""asyncpg reads these by itself, from a URL only."""

_OTHERS: Final = frozenset(
    {
        "application_name",
        "channel_binding",
        "client_encoding",
        "connect_timeout",
        "dbname",
        "fallback_application_name",
        "gssencmode",
        "host",
        "options",
        "passfile",
        "password",
        "port",
        "ssl",
        "target_session_attrs",
        "user",
    }
)
UNDERSTOOD: Final = _TLS | _OTHERS

_TLS_VERSIONS: Final = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
_WRITABLE: Final = ("any", "read-write", "primary")
_LONGEST_SECONDS: Final = 3_600


@dataclass(frozen=True, slots=True)
class PostgreSQLUrl:
    """Which database, and how to connect to it."""

    hosts: tuple[Host, ...]
    """None: asyncpg looks for a socket in the usual places, then on this machine."""
    target: str
    """Which of several hosts is meant: any, or the one that can be written to."""
    connect_seconds: float | None
    """How long one connection may take; None: not said."""
    server_settings: dict[str, str]
    advice: str | None
    """What an operator should know of the URL."""
    login: dict[str, str] = field(repr=False)
    """user, password, database and passfile, as far as they are given."""
    tls: dict[str, str] = field(repr=False)

    def for_asyncpg(self, host: Host | None) -> dict[str, Any]:
        """What `asyncpg.connect` gets so that it connects to one of the hosts, or to the usual place (None)."""
        tls = {name: value for name, value in self.tls.items() if value != OF_THE_SYSTEM}
        how: dict[str, Any] = self.login | {"target_session_attrs": self.target}
        if tls:
            how["dsn"] = f"postgresql://?{urlencode(tls, quote_via=quote)}"
        if self.tls.get("sslrootcert") == OF_THE_SYSTEM:
            how["ssl"] = _trusting_the_system(frozenset(self.tls.items()))
        if host is not None:
            how |= {"host": host.name, "port": host.port or 5432}
        return how


def read(url: str) -> PostgreSQLUrl:
    """What a URL says.

    Raises:
        ValueError: something in it is not understood, not allowed, or leads to a file that is not there. The text names
            the parameter, and has no secret in it.
    """
    parts = parts_of(url, SCHEMES, UNDERSTOOD, EXAMPLE)
    given = parts.parameters
    login = {
        "user": parts.user or given.get("user"),
        "password": given.get("password") if parts.password is None else parts.password,
        "database": parts.path.removeprefix("/") or given.get("dbname"),
        "passfile": given.get("passfile"),
    }
    tls = _tls(given)
    return PostgreSQLUrl(
        hosts=_hosts(parts.hosts, given),
        target=_target(given),
        connect_seconds=_seconds(given),
        server_settings=_server_settings(given),
        advice=_advice(given, tls.get("sslmode", "prefer")),
        login={name: value for name, value in login.items() if value is not None},
        tls=tls,
    )


def normal(url: str) -> str:
    """The URL with the scheme that it has in this program. Raises ValueError as `read` does."""
    read(url)
    return f"{SCHEMES[-1]}://{url.strip().partition('://')[2]}"


def _hosts(of_the_url: tuple[Host, ...], given: dict[str, str]) -> tuple[Host, ...]:
    """The hosts, those in front of the path or else those of the parameter `host`, each with its port."""
    hosts = of_the_url or hosts_of(given.get("host", ""))
    ports = [port_of(each) for each in given["port"].split(",")] if "port" in given else []
    if ports and not hosts:
        hosts = (Host("localhost", None),)
    if len(ports) not in (0, 1, len(hosts)):
        raise ValueError("port has as many ports as there are hosts, or one for all of them")
    if not ports:
        return hosts
    return tuple(
        Host(host.name, host.port or port)
        for host, port in zip(hosts, ports * (len(hosts) if len(ports) == 1 else 1), strict=True)
    )


def _target(given: dict[str, str]) -> str:
    target = given.get("target_session_attrs", "any")
    if target in {"read-only", "standby", "prefer-standby"}:
        raise ValueError("target_session_attrs must not lead to a server that is read-only: read-write, primary or any")
    return one_of("target_session_attrs", target, _WRITABLE)


def _seconds(given: dict[str, str]) -> float | None:
    """As libpq's: 0 is for ever."""
    written = given.get("connect_timeout")
    if written is None:
        return None
    if not (written.isascii() and written.isdigit() and len(written) < 6 and int(written) <= _LONGEST_SECONDS):
        raise ValueError(f"connect_timeout is a whole number of seconds, from 0 to {_LONGEST_SECONDS}")
    return float(written) or None


def _server_settings(given: dict[str, str]) -> dict[str, str]:
    """What is handed to the server with the first word: a name for its lists, and `options`, which it reads itself."""
    if given.get("client_encoding", "utf8").lower() not in {"utf8", "utf-8", "unicode", "auto"}:
        raise ValueError("client_encoding is UTF8")
    one_of("gssencmode", given.get("gssencmode", "disable"), ("disable", "prefer"))
    name = given.get("application_name", given.get("fallback_application_name"))
    said = {"application_name": name, "options": given.get("options")}
    return {setting: value for setting, value in said.items() if value is not None}


def _tls(given: dict[str, str]) -> dict[str, str]:
    """What TLS needs to know. Raises ValueError if a file is not what it should be."""
    tls = {name: value for name, value in given.items() if name in _TLS}
    if "ssl" in given:  # what JDBC and SQLAlchemy call it
        tls.setdefault("sslmode", "require" if given["ssl"] == "true" else one_of("ssl", given["ssl"], SSL_MODES))
    mode = one_of("sslmode", tls.get("sslmode", "prefer"), SSL_MODES)
    for name in ("ssl_min_protocol_version", "ssl_max_protocol_version"):
        one_of(name, tls.get(name, "TLSv1.2"), _TLS_VERSIONS)
    if one_of("sslnegotiation", tls.get("sslnegotiation", "postgres"), ("postgres", "direct")) == "direct":
        _needs_encryption("sslnegotiation=direct", mode)
    if tls.get("sslrootcert") == OF_THE_SYSTEM:
        if mode != "verify-full":
            raise ValueError("sslrootcert=system needs sslmode=verify-full")
    elif mode in VERIFIED and "sslrootcert" not in tls and not (Path.home() / ".postgresql/root.crt").exists():
        raise ValueError(f"sslmode={mode} needs sslrootcert=/path/to/ca.pem, or sslmode=verify-full&sslrootcert=system")
    _files_must_be_good(tls)
    return tls


def _needs_encryption(what: str, mode: str) -> None:
    if mode not in ENCRYPTED:
        raise ValueError(f"{what} needs sslmode=require, verify-ca or verify-full")


def _files_must_be_good(tls: dict[str, str]) -> None:
    scratch = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for name in ("sslrootcert", "sslcrl"):
        if name in tls and tls[name] != OF_THE_SYSTEM:
            _try(name, lambda file=tls[name]: scratch.load_verify_locations(cafile=file))
    if "sslkey" in tls and "sslcert" not in tls:
        raise ValueError("sslkey needs sslcert")
    if "sslcert" in tls:
        _try("sslcert with sslkey", lambda: _show_ourselves(scratch, tls))


def _try(name: str, load: Any) -> None:
    """ssl.SSLError is an OSError, and so is a missing file: neither text has what is in the file."""
    try:
        load()
    except OSError as error:
        reason = (
            error.strerror if error.errno and not isinstance(error, ssl.SSLError) else "not in PEM, or not matching"
        )
        raise ValueError(f"{name} cannot be used: {reason}") from None


def _show_ourselves(context: ssl.SSLContext, tls: dict[str, str]) -> None:
    password = tls.get("sslpassword", "")  # never asked for at a terminal
    context.load_cert_chain(tls["sslcert"], tls.get("sslkey"), password=lambda: password)


@cache
def _trusting_the_system(given: frozenset[tuple[str, str]]) -> ssl.SSLContext:
    """Made once: it reads all certificates that there are."""
    tls = dict(given)
    context = ssl.create_default_context()
    context.set_alpn_protocols(["postgresql"])
    versions = {name.replace(".", "_"): version for name, version in ssl.TLSVersion.__members__.items()}
    context.minimum_version = versions[tls.get("ssl_min_protocol_version", "TLSv1.2").replace(".", "_")]
    if "ssl_max_protocol_version" in tls:
        context.maximum_version = versions[tls["ssl_max_protocol_version"].replace(".", "_")]
    if "sslcert" in tls:
        _show_ourselves(context, tls)
    return context


def _advice(given: dict[str, str], mode: str) -> str | None:
    """asyncpg cannot bind a password to the channel (its `scram.pyx` says so): something else must keep others out."""
    if one_of("channel_binding", given.get("channel_binding", "prefer"), ("disable", "prefer", "require")) != "require":
        return None
    _needs_encryption("channel_binding=require", mode)
    if mode == "verify-full":
        return None
    return (
        "channel_binding=require is more than Usher can do: the connection is encrypted, but nobody looks whose "
        "certificate it is. sslmode=verify-full with sslrootcert does."
    )

"""How URLs are read, and what is said of those that are not understood: never a secret."""

import os

import pytest

from app.settings import BadSettings, read_settings
from app.urls import postgresql, redis
from app.urls.parts import Host
from tests.forking import Forker
from tests.ground.conftest import without_settings

SECRET = "geheim"
GOOD_SECRET = "k3Jq8mWz5TnXv2RbY7cLd0PfHs4GtA9e"
POSTGRESQL = f"postgresql://usher:{SECRET}@db.example.org/usher"
REDIS = f"redis://:{SECRET}@cache.example.org"


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("postgresql://db/usher", (Host("db", None),)),
        ("postgresql://u@[::1]:5433/usher", (Host("::1", 5433),)),
        ("postgresql://u@one:5433,two,[::1]/usher", (Host("one", 5433), Host("two", None), Host("::1", None))),
        ("postgresql:///usher", ()),
        ("postgresql:///usher?host=/run/postgresql", (Host("/run/postgresql", None),)),
        ("postgresql://%2Frun%2Fpostgresql:5433/usher", (Host("/run/postgresql", 5433),)),
        ("postgresql:///usher?host=one,two&port=5433,5434", (Host("one", 5433), Host("two", 5434))),
        ("postgresql:///usher?host=one,two&port=5433", (Host("one", 5433), Host("two", 5433))),
        ("postgresql:///usher?host=one:5433&host=two:5434", (Host("one", 5433), Host("two", 5434))),
        ("postgresql:///usher?port=5433", (Host("localhost", 5433),)),
    ],
)
def test_where_a_database_is(url: str, hosts: tuple[Host, ...]) -> None:
    assert postgresql.read(url).hosts == hosts


@pytest.mark.parametrize(
    ("url", "login"),
    [
        ("postgresql://u:p%40s%2Fs%3F@db/usher", {"user": "u", "password": "p@s/s?", "database": "usher"}),
        ("postgresql://u:p@ss@db/usher", {"user": "u", "password": "p@ss", "database": "usher"}),
        ("postgresql://u%40azure:p:q@db", {"user": "u@azure", "password": "p:q"}),
        ("postgresql://db/?user=u&password=p%26q&dbname=usher", {"user": "u", "password": "p&q", "database": "usher"}),
        (" postgres://u@db/the%20house \n", {"user": "u", "database": "the house"}),
    ],
)
def test_who_connects(url: str, login: dict[str, str]) -> None:
    assert postgresql.read(url).login == login


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ("sslmode=yes", "sslmode is one of disable, allow, prefer, require, verify-ca, verify-full"),
        ("sslmode=", "sslmode has no value"),
        ("sslmode=verify-full", "sslmode=verify-full needs sslrootcert"),
        ("sslmode=require&sslrootcert=/nowhere.pem", "sslrootcert cannot be used: No such file or directory"),
        (f"sslmode=require&sslrootcert={__file__}", "sslrootcert cannot be used: not in PEM"),
        ("sslrootcert=system", "sslrootcert=system needs sslmode=verify-full"),
        ("sslcert=/nowhere.pem", "sslcert with sslkey cannot be used: No such file or directory"),
        ("sslkey=/nowhere.pem", "sslkey needs sslcert"),
        ("sslnegotiation=direct", "sslnegotiation=direct needs sslmode=require"),
        ("ssl_min_protocol_version=SSLv3", "ssl_min_protocol_version is one of TLSv1"),
        ("channel_binding=yes", "channel_binding is one of disable, prefer, require"),
        ("channel_binding=require&sslmode=prefer", "channel_binding=require needs sslmode=require"),
        ("connect_timeout=soon", "connect_timeout is a whole number of seconds"),
        ("connect_timeout=-1", "connect_timeout is a whole number of seconds"),
        ("target_session_attrs=standby", "target_session_attrs must not lead to a server that is read-only"),
        ("target_session_attrs=first", "target_session_attrs is one of any, read-write, primary"),
        ("gssencmode=require", "gssencmode is one of disable, prefer"),
        ("client_encoding=latin1", "client_encoding is UTF8"),
        ("port=1,2", "port has as many ports as there are hosts"),
        ("port=geheim", "a port is a number from 1 to 65535"),
        ("pgbouncer=true", "pgbouncer: not understood; understood are application_name"),
        ("statement_timeout=1&search_path=x", "search_path, statement_timeout: not understood"),
        (f"passwort={SECRET}", "passwort: not understood"),
    ],
)
def test_a_parameter_that_is_not_understood_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object, parameters: str, said: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))

    with pytest.raises(ValueError) as refused:  # noqa: PT011 - what it says is looked at
        postgresql.read(f"{POSTGRESQL}?{parameters}")

    assert str(refused.value).startswith(said)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://u:{SECRET}/x@db/usher",
        f"postgresql://u:{SECRET}?x@db/usher",
        f"postgresql://u:x?{SECRET}@db/usher",
        f"postgresql://u:x?{SECRET}=1@db/usher",
        f"postgresql://u:{SECRET}#x@db/usher",
        f"postgresql://u:{SECRET}@db:port/usher",
        f"postgresql://u:{SECRET}@db:0/usher",
        f"postgresql://u:{SECRET}@db:65536/usher",
        f"postgresql://u:{SECRET}@::1/usher",
        f"postgresql://u:{SECRET}@[::g]/usher",
        f"postgresql://u:{SECRET}@one,,two/usher",
        f"postgresql://u:{SECRET}%FF@db/usher",
        f"postgresql://u:{SECRET}%00@db/usher",
        f"mysql://u:{SECRET}@db/usher",
        f"u:{SECRET}@db",
    ],
)
def test_what_is_no_url_is_said_without_its_password(url: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - what it says is looked at
        postgresql.read(url)

    assert SECRET not in str(refused.value)
    assert SECRET not in repr(refused.value.__cause__)


def test_what_was_read_does_not_show_its_secrets() -> None:
    assert SECRET not in repr(postgresql.read(f"{POSTGRESQL}?sslpassword={SECRET}"))
    assert SECRET not in repr(redis.read(f"redis+sentinel://:{SECRET}@a/b?sentinel_password={SECRET}"))


@pytest.mark.parametrize(("mode", "advises"), [("require", True), ("verify-full", False)])
def test_channel_binding_is_advised_about_where_nobody_looks_at_the_certificate(mode: str, advises: bool) -> None:
    more = "&sslrootcert=system" if mode == "verify-full" else ""
    advice = postgresql.read(f"{POSTGRESQL}?channel_binding=require&sslmode={mode}{more}").advice

    assert (advice is not None) == advises


@pytest.mark.parametrize(
    ("url", "hosts", "database"),
    [
        ("redis://", (("localhost", 6379),), 0),
        ("redis://cache", (("cache", 6379),), 0),
        ("rediss://cache:6380/2", (("cache", 6380),), 2),
        ("valkey://[::1]:6380/2?db=3", (("::1", 6380),), 3),
        ("unix:///run/valkey.sock?db=4", (), 4),
        ("redis+sentinel://a,b:1/house/5", (("a", 26379), ("b", 1)), 5),
        ("rediss+sentinel://a/house", (("a", 26379),), 0),
        ("valkeys+sentinel://a/6?service_name=house", (("a", 26379),), 6),
    ],
)
def test_where_a_redis_is(url: str, hosts: tuple[tuple[str, int], ...], database: int) -> None:
    read = redis.read(url)

    assert (read.hosts, read.database) == (hosts, database)
    assert read.service == ("house" if "sentinel" in url else None)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"{REDIS}:99999/0", "a port is a number from 1 to 65535"),
        (f"{REDIS}:port/0", "a port is a number from 1 to 65535"),
        (f"{REDIS}/usher", "the database (db, or the path) is a number"),
        (f"{REDIS}?db=-1", "the database (db, or the path) is a number"),
        (f"{REDIS}?family=0", "family: not understood; understood are client_name, db"),
        (f"{REDIS}?ssl_cert_reqs=none", "ssl_cert_reqs needs rediss:// or valkeys://"),
        (f"{REDIS}?sentinel_password=x", "sentinel_password needs redis+sentinel://"),
        (f"redis://:{SECRET}@a,b", "several hosts are sentinels: redis+sentinel://"),
        (f"redis+sentinel://:{SECRET}@a,b", "redis+sentinel:// needs the name"),
        (f"rediss://:{SECRET}@a?ssl_cert_reqs=maybe", "ssl_cert_reqs is one of required, optional, none"),
        (f"rediss://:{SECRET}@a?ssl_ca_certs=/nowhere", "ssl_ca_certs cannot be used"),
        (f"rediss://:{SECRET}@a?ssl_keyfile=/nowhere", "ssl_keyfile needs ssl_certfile"),
        (f"unix://:{SECRET}@host/path", "the path of a socket begins with a slash"),
        (f"http://:{SECRET}@host/path", "redis://host:6379/0, rediss://..."),
        (f"redis://:{SECRET}/x@host", "redis://host:6379/0, rediss://..."),
    ],
)
def test_a_redis_that_is_not_understood_is_said_without_its_password(url: str, said: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - what it says is looked at
        redis.read(url)

    assert str(refused.value).startswith(said)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("name", ["DATABASE_URL", "MIGRATIONS_DATABASE_URL", "REDIS_URL"])
def test_the_program_ends_with_3_and_a_line_that_names_the_parameter(forker: Forker, name: str) -> None:
    urls = {"DATABASE_URL": POSTGRESQL, "MIGRATIONS_DATABASE_URL": POSTGRESQL, "REDIS_URL": REDIS}
    environment = without_settings() | urls | {"JWT_SECRET": GOOD_SECRET, name: f"{urls[name]}?fault=1"}
    process = forker.start("doctor", environment=environment)
    _, complained = process.communicate()

    assert process.returncode == 3
    assert complained.startswith(f"{name}=(not shown) is not allowed: fault: not understood")
    assert complained.count("\n") == 1
    assert SECRET not in complained


def test_what_a_worker_is_handed_is_read_as_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting goes to the workers by the environment, once it was read."""
    for name in os.environ.keys() - without_settings().keys():
        monkeypatch.delenv(name)
    monkeypatch.setenv("JWT_SECRET", GOOD_SECRET)
    monkeypatch.setenv("DATABASE_URL", f" postgres://usher:{SECRET}@db/usher?sslmode=require\n")
    first = read_settings().database_url or ""
    monkeypatch.setenv("DATABASE_URL", first)

    assert read_settings().database_url == first == f"postgresql+asyncpg://usher:{SECRET}@db/usher?sslmode=require"


@pytest.mark.parametrize("prefix", ["", "-x", "two words", "x" * 65, "ü"])
def test_a_prefix_is_a_word(monkeypatch: pytest.MonkeyPatch, prefix: str) -> None:
    monkeypatch.setenv("REDIS_PREFIX", prefix)
    if not prefix:
        assert read_settings().redis_prefix == "usher"
        return

    with pytest.raises(BadSettings, match=r"^REDIS_PREFIX=.* is not allowed: 1 to 64 letters, digits"):
        read_settings()

"""Every setting, from the environment and from nowhere else: nothing but this module reads it.

A field is named like its variable in lower case, has a description and bounds, and a bad value ends the program with
one line that says what was given and what is allowed. Secrets are never shown. `.env.example` lists them all.
"""

import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import AfterValidator, BeforeValidator, Field, IPvAnyNetwork, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

EXIT_BAD_SETTING: Final = 3


class LogFormat(StrEnum):
    """How a log line looks: for people, or for a machine that collects them."""

    TEXT = "text"
    JSON = "json"


class LogLevel(StrEnum):
    """The least important line that is still written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


# What people leave in a secret that they meant to change. FastAPI's tutorial has the hexadecimal one.
_WELL_KNOWN: Final = re.compile(
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7|changeme|change|replace|insecure|default|example"
    "|password|passwd|secret|token|string|random|generate|production|development|openssl|characters|chars|minimum"
    "|least|bytes|bits|bit|usher|jwt|key|dev|prod|test|super|very|long|must|this|that|with|your|here|please|value|hs256"
    "|keep|safe|not|for|the|use|in|at|me|my|is|be|to|a|1234567890|0123456789|123456789|12345678|256|32|abc123|qwerty"
)


def _strong(secret: str) -> str:
    """A secret that nobody can guess, as far as looking at it can tell.

    Raises:
        ValueError: it is short, repeats itself, or little is left once the well-known words are taken out.
    """
    how = "make one with: openssl rand -hex 32"
    if len(secret.encode()) < 32:
        raise ValueError(f"at least 32 bytes, this one has {len(secret.encode())}; {how}")
    repeats = any(secret.startswith(secret[period:]) for period in range(1, len(secret) // 2 + 1))
    left = re.sub(r"[\W_]", "", _WELL_KNOWN.sub("", secret.lower()))
    if repeats or len(set(secret)) < 8 or len(left) < 16 or len(set(left)) < 6:
        raise ValueError(f"only what nobody can guess, and this one is well known or repeats itself; {how}")
    return secret


def _postgresql(url: str) -> str:
    """The URL as SQLAlchemy wants it: `postgresql+asyncpg://`, with asyncpg's word for sslmode."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in {"postgresql", "postgres", "postgresql+asyncpg"}:
        raise ValueError("postgresql://user:password@host:5432/database")
    return "postgresql+asyncpg://" + re.sub(r"(?<=[?&])sslmode=", "ssl=", rest)


def _redis(url: str) -> str:
    if not url.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("redis://host:6379/0, rediss://... or unix:///path/to/socket")
    return url


def _lower(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


def _longest_hold(earlier: dict[str, int]) -> int:
    """The default cap of a hold, which is never shorter than a hold."""
    return max(900, earlier["reservation_timeout"])


def _rate(text: object) -> object:
    """How many in how many seconds: 10/second, 120/minute, 2000/hour."""
    match re.fullmatch(r"([1-9]\d{0,8})\s*/\s*(second|minute|hour|day)", str(text).strip()):
        case None:
            raise ValueError("a number a second, minute, hour or day, as in 120/minute")
        case found:
            return int(found[1]), _SECONDS[found[2]]


def _parts(text: object) -> object:
    return [part.strip() for part in text.split(",") if part.strip()] if isinstance(text, str) else text


def _origin(text: str) -> str:
    if text != "*" and not re.fullmatch(r"https?://[^/\s*]+", text):
        raise ValueError("origins such as https://tickets.example.org, or *")
    return text


_SECONDS: Final = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400}

Rate = Annotated[tuple[int, int], NoDecode, BeforeValidator(_rate)]
Networks = Annotated[tuple[IPvAnyNetwork, ...], NoDecode, BeforeValidator(_parts)]
Origins = Annotated[tuple[Annotated[str, AfterValidator(_origin)], ...], NoDecode, BeforeValidator(_parts)]
Secret = Annotated[str, AfterValidator(_strong)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Settings(BaseSettings):
    """The settings of one process: checked once, at start, and frozen. An empty variable counts as not set."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True, validate_default=False)

    # Where things are
    database_url: Annotated[str, AfterValidator(_postgresql)] | None = Field(
        None,
        repr=False,
        description="PostgreSQL: postgresql://user:password@host/database. Not set: Usher brings its own.",
    )
    redis_url: Annotated[str, AfterValidator(_redis)] | None = Field(
        None, repr=False, description="Valkey or Redis: redis://host:6379/0. Not set: Usher brings its own."
    )
    host: str = Field("127.0.0.1", min_length=1, description="The address to listen on. 0.0.0.0 is every one.")
    port: int = Field(8000, ge=0, le=65_535, description="The port to listen on; 0 takes any that is free.")
    web_concurrency: int = Field(1, ge=1, le=64, description="Worker processes.")
    usher_home: Path = Field(Path(".usher"), description="Where Usher's own PostgreSQL, Valkey and secret live.")
    usher_plain: bool = Field(
        False, description="on: FastAPI's own routing runs every operation: the same answers, more slowly."
    )

    # Who is who
    jwt_secret: Secret | None = Field(
        None,
        repr=False,
        description="Signs the tokens: 32 bytes or more. Needed with DATABASE_URL; else made and kept.",
    )
    jwt_secret_previous: Secret | None = Field(
        None, repr=False, description="The secret before this one: its tokens stay good until they run out."
    )
    guests: bool = Field(True, description="on: seats can be taken without signing in. off: a token is needed.")
    guest_token_seconds: int = Field(
        30 * 86_400, ge=60, le=365 * 86_400, description="How long a guest stays the same guest, in seconds."
    )
    access_token_seconds: int = Field(
        900, ge=10, le=86_400, description="How long an access token is believed, in seconds."
    )
    refresh_token_seconds: int = Field(
        30 * 86_400,
        ge=60,
        le=366 * 86_400,
        description="How long a session lasts after its last refresh, in seconds.",
    )
    password_queue_max: int = Field(
        64, ge=1, le=10_000, description="Passwords that may wait to be hashed; one more is told to come again."
    )
    demo_password: str = Field(
        "usher-demo", min_length=8, max_length=128, repr=False, description="The password of the demo people."
    )

    # What buyers may do; each also per screening
    reservation_timeout: int = Field(300, ge=1, le=86_400, description="How long a hold lasts, in seconds.")
    max_hold_seconds: int = Field(
        default_factory=_longest_hold,
        ge=1,
        le=7 * 86_400,
        description="How long a hold lasts at most with its extensions, in seconds; at least RESERVATION_TIMEOUT.",
    )
    max_seats_per_reservation: int = Field(10, ge=1, le=1_000, description="Seats in one reservation or booking.")
    max_seats_per_user: int | None = Field(
        None, ge=1, le=100_000, description="Seats of one user in one screening, held and booked. Not set: any number."
    )
    max_active_reservations_per_user: int | None = Field(
        None, ge=1, le=100_000, description="Holds that one user may have at a time. Not set: any number."
    )
    bookings_per_user_per_day: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="Bookings of one user a day, in the theater's time zone. Not set: any number.",
    )

    # Who may ask how often, and from where
    rate_limits: bool = Field(True, description="on: callers are rate-limited. In the embedded mode off, unless set.")
    rate_login: Rate = Field(
        "10/minute", validate_default=True, description="Logins and registrations of one client address."
    )
    rate_reading: Rate = Field(
        "600/minute", validate_default=True, description="Reads of one user; ten times that of one address."
    )
    rate_taking: Rate = Field(
        "120/minute", validate_default=True, description="Writes of one user; ten times that of one address."
    )
    trusted_proxies: Networks = Field(
        (), description="Proxies whose X-Forwarded-For is believed: addresses or networks, separated by commas."
    )
    cors_origins: Origins = Field(
        (), description="Front-ends that browsers may call from: origins, separated by commas; * is any."
    )

    # Who may listen to live seats
    live_per_address: int = Field(
        200, ge=1, le=1_000_000, description="Live connections of one client address; counted while RATE_LIMITS is on."
    )
    live_per_process: int = Field(20_000, ge=1, le=1_000_000, description="Live connections of each worker.")
    live_buffer_kib: int = Field(
        256, ge=1, le=65_536, description="KiB that may wait for a live listener; one who is further behind is let go."
    )

    # The box office
    batch_max: int = Field(200, ge=1, le=10_000, description="Commands that one transaction serves at most.")
    queue_max: int = Field(
        5_000, ge=1, le=1_000_000, description="Commands that may wait; one more is told to come again."
    )
    command_deadline_seconds: Seconds = Field(
        5.0, le=60, description="How long a command may wait before it is given up."
    )
    batch_per_screening: bool = Field(
        False, description="on: a batch serves one screening only, as a distributed PostgreSQL needs it."
    )

    # PostgreSQL
    database_pool_size: int = Field(10, ge=2, le=1_000, description="Connections to PostgreSQL, for each worker.")
    statement_cache_size: int = Field(
        100,
        ge=0,
        le=10_000,
        description="Prepared statements for each connection; 0 behind a pooler in transaction mode.",
    )
    statement_timeout_ms: int = Field(5_000, ge=100, le=600_000, description="A statement ends after so long.")
    lock_timeout_ms: int = Field(2_000, ge=50, le=600_000, description="A wait for a lock ends after so long.")

    postgresql_silence_seconds: Seconds = Field(
        1.1, ge=0.2, le=60, description="How long PostgreSQL may be silent before everybody is told that it is away."
    )

    # Tidying up
    sweep: bool = Field(True, description="on: this process tidies up holds that ran out and announces them.")
    reconcile_seconds: Seconds = Field(
        1.0, ge=0.1, le=60, description="How often the cache is compared with PostgreSQL."
    )
    idempotency_hours: int = Field(24, ge=1, le=24 * 30, description="How long an idempotency key is kept.")
    event_hours: int = Field(24 * 7, ge=1, le=24 * 366, description="How long a seat's history is kept.")

    # Logs
    log_level: Annotated[LogLevel, BeforeValidator(_lower)] = Field(
        LogLevel.INFO, description="debug, info, warning or error."
    )
    log_format: Annotated[LogFormat, BeforeValidator(_lower)] = Field(LogFormat.TEXT, description="text or json.")

    @property
    def is_embedded(self) -> bool:
        """No DATABASE_URL was given: Usher brings its own PostgreSQL, and the demo theaters with it."""
        return self.database_url is None

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        if self.max_hold_seconds < self.reservation_timeout:
            raise ValueError(
                f"MAX_HOLD_SECONDS={self.max_hold_seconds} is not allowed: "
                f"at least RESERVATION_TIMEOUT, which is {self.reservation_timeout}"
            )
        if self.database_url is not None and self.jwt_secret is None:
            raise ValueError("JWT_SECRET is not set, and DATABASE_URL needs it; make one with: openssl rand -hex 32")
        return self


class BadSettings(Exception):
    """Settings that cannot be used; its text is one line for each, without a secret in it."""


def read_settings() -> Settings:
    """The settings of the environment.

    Raises:
        BadSettings: with one line for each bad one.
    """
    try:
        return Settings()
    except ValidationError as error:
        lines = {_line(problem) for problem in error.errors() if problem["type"] != "default_factory_not_called"}
        raise BadSettings("\n".join(sorted(lines))) from None


def settings_or_exit() -> Settings:
    """The settings of the environment; ends the program with 3 and a line for each bad one."""
    try:
        return read_settings()
    except BadSettings as bad:
        sys.stderr.write(f"{bad}\n")
        sys.exit(EXIT_BAD_SETTING)


def _line(problem: ErrorDetails) -> str:
    """What one bad setting says for itself: its name, what was given (never of a secret), what is allowed."""
    if not problem["loc"]:
        return str(problem["ctx"]["error"])
    name = str(problem["loc"][0])
    given = str(problem["input"])[:80] if Settings.model_fields[name].repr else "(not shown)"
    return f"{name.upper()}={given} is not allowed: {_allowed(name, problem)}"


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

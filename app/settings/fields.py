"""Every setting: a field with the name of its variable in lower case, a description and bounds.

What is not shown when it is printed (`repr=False`) is a secret, and may be in a file instead (app/settings/reading.py).
`make settings` writes the lists in README and .env.example.
"""

import importlib.util
import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import AfterValidator, BeforeValidator, Field, IPvAnyNetwork, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.settings.strength import strong
from app.urls import postgresql, redis

LONGEST_GUEST_TOKEN_SECONDS: Final = 365 * 86_400
LONGEST_ACCESS_TOKEN_SECONDS: Final = 86_400
"""No setting allows more. A token is valid for as long as it was signed for, also under a setting that came later."""


class LogFormat(StrEnum):
    """The format of log lines: text for people, JSON for programs that collect them."""

    TEXT = "text"
    JSON = "json"


class LogLevel(StrEnum):
    """The lowest level that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class PaymentProviderName(StrEnum):
    """Who takes the money."""

    DUMMY = "dummy"
    STRIPE = "stripe"


def _prefix(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}", name):
        raise ValueError("1 to 64 letters, digits and . : _ -")
    return name


def _stripe_key(key: str) -> str:
    if not re.fullmatch(r"(sk|rk)_(test|live)_\w+", key):
        raise ValueError("the secret key or a restricted one: sk_live_..., rk_live_..., sk_test_... or rk_test_...")
    return key


def _stripe_webhook_secret(secret: str) -> str:
    if not re.fullmatch(r"whsec_\S+", secret):
        raise ValueError("the signing secret of the webhook endpoint: whsec_...")
    return secret


def _page(url: str) -> str:
    if not re.fullmatch(r"https?://[^\s/]+(/\S*)?", url):
        raise ValueError("the address of a page, such as https://tickets.example.org/paid")
    return url


def _api(url: str) -> str:
    """An address to which a secret key is sent: in clear on this machine only."""
    if not re.fullmatch(r"https://[^\s/]+|http://(127\.0\.0\.1|\[::1\]|localhost)(:\d+)?", url):
        raise ValueError("https://host, or http://127.0.0.1:12111 on this machine; no path")
    return url


def _collector(url: str) -> str:
    if not re.fullmatch(r"https?://[^\s/@]+(/\S*)?", url):
        raise ValueError("http://host:4318 or https://...; user and password go into OTEL_EXPORTER_OTLP_HEADERS")
    return url


def _protocol(name: str) -> str:
    if name != "http/protobuf":
        raise ValueError("http/protobuf; a collector that speaks grpc takes that too, usually at port 4318")
    return name


_OPENTELEMETRY: Final = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


def _is_installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:
        return False


def _lower(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


def _longest_hold(earlier: dict[str, int]) -> int:
    """The default of MAX_HOLD_SECONDS, which is never shorter than a hold."""
    return max(900, earlier["reservation_timeout"])


def _rate(text: object) -> object:
    """A rate such as 120/minute as a pair: how many, and in how many seconds."""
    match re.fullmatch(r"([1-9]\d{0,8})\s*/\s*(second|minute|hour|day)", str(text).strip()):
        case None:
            raise ValueError("a number per second, minute, hour or day, such as 120/minute")
        case found:
            return int(found[1]), _SECONDS[found[2]]


def _parts(text: object) -> object:
    return [part.strip() for part in text.split(",") if part.strip()] if isinstance(text, str) else text


def _origin(text: str) -> str:
    if text != "*" and not re.fullmatch(r"https?://[^/\s*]+", text):
        raise ValueError("origins such as https://tickets.example.org, or *")
    return text


def _ancestor(text: str) -> str:
    if text != "'self'" and not re.fullmatch(r"https?://(\*\.)?[A-Za-z0-9.\[\]:-]+(:\*)?", text):
        raise ValueError("origins such as https://www.example.org, 'self', or 'none'")
    return text


def _ancestors(text: object) -> object:
    """Origins, separated by commas or spaces; 'none' is nobody."""
    parts = text.replace(",", " ").split() if isinstance(text, str) else text
    return () if parts in (["'none'"], ["none"]) else parts


_SECONDS: Final = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400}

Rate = Annotated[tuple[int, int], NoDecode, BeforeValidator(_rate)]
Networks = Annotated[tuple[IPvAnyNetwork, ...], NoDecode, BeforeValidator(_parts)]
Origins = Annotated[tuple[Annotated[str, AfterValidator(_origin)], ...], NoDecode, BeforeValidator(_parts)]
Ancestors = Annotated[tuple[Annotated[str, AfterValidator(_ancestor)], ...], NoDecode, BeforeValidator(_ancestors)]
Secret = Annotated[str, AfterValidator(strong)]
Secrets = Annotated[tuple[Secret, ...], NoDecode, BeforeValidator(_parts)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Settings(BaseSettings):
    """The settings of one process: checked once at start, then frozen. An empty variable counts as not set."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True, validate_default=False)

    # Servers and addresses
    database_url: Annotated[str, AfterValidator(postgresql.normal)] | None = Field(
        None,
        repr=False,
        description="PostgreSQL: postgresql://user:password@host/database?sslmode=require (docs/servers.md). "
        "Not set: Usher starts its own.",
    )
    migrations_database_url: Annotated[str, AfterValidator(postgresql.normal)] | None = Field(
        None,
        repr=False,
        description="The same database for migrations, by another way: around a connection pooler, or as another role. "
        "Not set: DATABASE_URL.",
    )
    redis_url: Annotated[str, AfterValidator(redis.normal)] | None = Field(
        None,
        repr=False,
        description="Valkey or Redis: redis://host:6379/0; also rediss, valkey, valkeys, unix, redis+sentinel "
        "(docs/servers.md). Not set: Usher starts its own.",
    )
    redis_prefix: Annotated[str, AfterValidator(_prefix)] = Field(
        "usher",
        description="What all keys and channels in Redis begin with; each installation that shares it has its own.",
    )
    host: str = Field(
        "127.0.0.1", min_length=1, description="The address to listen on. 0.0.0.0: every address of this machine."
    )
    port: int = Field(8000, ge=0, le=65_535, description="The port to listen on. 0: any free port.")
    web_concurrency: int = Field(1, ge=1, le=64, description="The number of worker processes.")
    usher_home: Path = Field(
        Path(".usher"), description="The directory of Usher's own PostgreSQL, Valkey and JWT secret."
    )
    usher_plain: bool = Field(
        False, description="on: operations run by FastAPI's own routing, with the same answers, but more slowly."
    )

    # Users and tokens
    jwt_secret: Secret | None = Field(
        None,
        repr=False,
        description="Signs the tokens; 32 bytes or more. Required with DATABASE_URL, otherwise generated and kept.",
    )
    jwt_secret_previous: Secrets = Field(
        (),
        repr=False,
        description="Previous JWT_SECRETs, separated by commas: tokens signed with them stay valid until they expire.",
    )
    guests: bool = Field(
        True, description="on: seats can be held and booked without a token. off: a token is required."
    )
    guest_token_seconds: int = Field(
        30 * 86_400,
        ge=60,
        le=LONGEST_GUEST_TOKEN_SECONDS,
        description="How long a new token of a guest is valid, in seconds. Tokens that are out keep their time.",
    )
    access_token_seconds: int = Field(
        900,
        ge=10,
        le=LONGEST_ACCESS_TOKEN_SECONDS,
        description="How long a new access token is valid, in seconds. Tokens that are out keep their time.",
    )
    refresh_token_seconds: int = Field(
        30 * 86_400,
        ge=60,
        le=366 * 86_400,
        description="How long a session lasts after its last refresh, in seconds.",
    )
    password_queue_max: int = Field(
        64, ge=1, le=10_000, description="The most passwords that may wait for hashing in a worker. Beyond that: 503."
    )
    demo_password: str = Field(
        "usher-demo", min_length=8, max_length=128, repr=False, description="The password of the demo users."
    )

    # Limits of buyers; organizers can set each of them per screening
    reservation_timeout: int = Field(300, ge=1, le=86_400, description="How long a hold lasts, in seconds.")
    max_hold_seconds: int = Field(
        default_factory=_longest_hold,
        ge=1,
        le=7 * 86_400,
        description="How long a hold lasts at most with extensions, in seconds; at least RESERVATION_TIMEOUT.",
    )
    max_seats_per_reservation: int = Field(
        10, ge=1, le=500, description="The most seats in one reservation or booking; at most 500."
    )
    max_seats_per_user: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="The most seats of one user in one screening, held and booked. Not set: no limit.",
    )
    max_active_reservations_per_user: int | None = Field(
        None, ge=1, le=100_000, description="The most holds of one user at a time. Not set: no limit."
    )
    bookings_per_user_per_day: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="The most bookings of one user per day, in the theater's time zone. Not set: no limit.",
    )
    limits_need_email: bool = Field(
        False,
        description="on: where a limit per user is set, a guest needs an email (422 otherwise). "
        "Users with the same email share limits.",
    )

    # Rate limits and origins
    rate_limits: bool = Field(True, description="on: requests are rate-limited. Default in the embedded mode: off.")
    rate_login: Rate = Field(
        "10/minute",
        validate_default=True,
        description="The rate limit for wrong passwords, and for registrations, per client address.",
    )
    rate_reading: Rate = Field(
        "600/minute",
        validate_default=True,
        description="The rate limit for reads, per user; per client address ten times as many, "
        "without a token half as many.",
    )
    rate_taking: Rate = Field(
        "120/minute",
        validate_default=True,
        description="The rate limit for writes, per user; per client address ten times as many, "
        "without a token half as many.",
    )
    anonymous_holds_per_address: int = Field(
        20,
        ge=1,
        le=100_000,
        description="The most seats of a screening that callers without an account hold from one client address, while "
        "RATE_LIMITS is on; from its network four times as many.",
    )
    trusted_proxies: Networks = Field(
        (), description="Proxies whose X-Forwarded-For is trusted: addresses or networks, separated by commas."
    )
    cors_origins: Origins = Field(
        (), description="Origins from which browsers may call the API (CORS), separated by commas. *: any origin."
    )
    frame_ancestors: Ancestors = Field(
        (), description="Origins whose pages may show the buyers' pages in a frame, separated by commas. Not set: none."
    )

    # Figures
    metrics_port: int | None = Field(
        None, ge=1, le=65_535, description="The port of /metrics. Not set: the one of everything, for METRICS_FROM."
    )
    metrics_from: Networks = Field(
        "127.0.0.1,::1",
        validate_default=True,
        description="Networks from which /metrics may be read, separated by commas, unless METRICS_PORT is set.",
    )
    metrics_directory: Path | None = Field(
        None,
        description="Where several workers write their figures. Not set: a directory for as long as Usher runs.",
    )

    # Connections
    connections_per_address: int = Field(
        2_000,
        ge=1,
        le=1_000_000,
        description="The most connections of one client address to a worker, live or not, while RATE_LIMITS is on.",
    )
    keep_alive_seconds: int = Field(
        75,
        ge=1,
        le=3_600,
        description="How long a connection waits for its next request, in seconds; longer than a proxy in front of it.",
    )
    connections_per_process: int = Field(
        25_000, ge=1, le=1_000_000, description="The most connections of one worker, live or not. Beyond that: 503."
    )

    # Live connections
    live_per_address: int = Field(
        200, ge=1, le=1_000_000, description="The most live connections of one client address, while RATE_LIMITS is on."
    )
    live_per_process: int = Field(20_000, ge=1, le=1_000_000, description="The most live connections of one worker.")
    live_buffer_kib: int = Field(
        256,
        ge=1,
        le=65_536,
        description="The send buffer of a live connection, in KiB. A client that falls further behind is disconnected.",
    )

    # The box office
    batch_max: int = Field(
        200, ge=1, le=10_000, description="The most commands in one batch, which is one transaction."
    )
    queue_max: int = Field(
        5_000, ge=1, le=1_000_000, description="The most commands that may wait in a worker. Beyond that: 503."
    )
    command_deadline_seconds: Seconds = Field(
        5.0, le=60, description="The timeout of a command that waits, in seconds. After that: 503."
    )
    batch_per_screening: bool = Field(
        False, description="on: a batch serves one screening only, as a distributed PostgreSQL (Citus) requires."
    )
    office_connections: int = Field(
        1,
        ge=1,
        le=64,
        description="Connections over which a worker sells, side by side. More than 1: a batch serves one screening "
        "only.",
    )

    # Money
    payment_provider: Annotated[PaymentProviderName, BeforeValidator(_lower)] = Field(
        PaymentProviderName.DUMMY,
        description="Who charges: dummy (nobody: it does what its tokens say) or stripe (docs/payments.md).",
    )
    payment_wait_seconds: Seconds = Field(
        8.0,
        ge=0.1,
        le=60,
        description="How long a call waits for the payment provider, in seconds. After that: 202, and it goes on.",
    )
    payment_deadline_seconds: Seconds = Field(
        60.0,
        ge=1,
        le=3_600,
        description="How long the payment provider has for a payment, in seconds. After that it is called off.",
    )
    dummy_webhook_secret: str | None = Field(
        None,
        min_length=8,
        max_length=512,
        repr=False,
        description="Signs what the dummy provider reports (Standard Webhooks). Not set: made from JWT_SECRET.",
    )

    stripe_api_key: Annotated[str, AfterValidator(_stripe_key)] | None = Field(
        None, repr=False, description="Stripe's secret key: sk_... or rk_.... Required with PAYMENT_PROVIDER=stripe."
    )
    stripe_webhook_secret: Annotated[str, AfterValidator(_stripe_webhook_secret)] | None = Field(
        None,
        repr=False,
        description="The signing secret of Stripe's webhook: whsec_.... Required with PAYMENT_PROVIDER=stripe.",
    )
    stripe_return_url: Annotated[str, AfterValidator(_page)] | None = Field(
        None,
        description="The page to which a payer comes back from their bank. Not set: only ways to pay that need none.",
    )
    stripe_api_base: Annotated[str, AfterValidator(_api)] | None = Field(
        None, description="Where Stripe's API is, for tests. Not set: https://api.stripe.com."
    )

    # PostgreSQL
    database_pool_size: int = Field(
        10, ge=2, le=1_000, description="The size of each worker's PostgreSQL connection pool."
    )
    statement_cache_size: int = Field(
        100,
        ge=0,
        le=10_000,
        description="Prepared statements per connection. 0: for a connection pooler in transaction mode. Then nothing "
        "is set for a session, and each transaction has its own timeouts.",
    )
    statement_timeout_ms: int = Field(
        5_000, ge=100, le=600_000, description="PostgreSQL's statement_timeout, in milliseconds."
    )
    lock_timeout_ms: int = Field(2_000, ge=50, le=600_000, description="PostgreSQL's lock_timeout, in milliseconds.")

    postgresql_silence_seconds: Seconds = Field(
        1.1,
        ge=0.2,
        le=60,
        description="PostgreSQL counts as not reachable after this time without an answer, in seconds.",
    )

    postgresql_connect_seconds: Seconds = Field(
        1.0,
        ge=0.1,
        le=60,
        description="The timeout for a new connection to PostgreSQL, and for a free one of the pool, in seconds.",
    )
    redis_timeout_seconds: Seconds = Field(
        0.25,
        ge=0.05,
        le=10,
        description="The timeout of each question to Redis, in seconds. After that PostgreSQL is asked instead.",
    )

    # Background work
    sweep: bool = Field(
        True,
        description="on: this process ends expired holds and announces them, and finishes payments and refunds.",
    )
    reconcile_seconds: Seconds = Field(
        1.0, ge=0.1, le=60, description="How often the cache is compared with PostgreSQL, in seconds."
    )
    idempotency_hours: int = Field(24, ge=1, le=24 * 30, description="How long idempotency keys are kept, in hours.")
    event_hours: int = Field(24 * 7, ge=1, le=24 * 366, description="How long the history of a seat is kept, in hours.")

    # Logs
    log_level: Annotated[LogLevel, BeforeValidator(_lower)] = Field(
        LogLevel.INFO, description="The lowest level that is logged: debug, info, warning or error."
    )
    log_format: Annotated[LogFormat, BeforeValidator(_lower)] | None = Field(
        None, description="The format of log lines: text or json. Not set: text on a terminal, json elsewhere."
    )
    log_requests: bool = Field(
        True,
        description="on: a line for each request, at level info: method, route, status, time, user, request id.",
    )

    # Traces
    otel_exporter_otlp_endpoint: Annotated[str, AfterValidator(_collector)] | None = Field(
        None,
        repr=False,
        description="Where traces go, as OTLP over HTTP: http://host:4318 (/v1/traces is added). Not set: nowhere.",
    )
    otel_exporter_otlp_traces_endpoint: Annotated[str, AfterValidator(_collector)] | None = Field(
        None, repr=False, description="The same as a whole address, to which nothing is added."
    )
    otel_exporter_otlp_protocol: Annotated[str, AfterValidator(_protocol)] | None = Field(
        None, description="How traces are sent: http/protobuf, and nothing else."
    )
    otel_exporter_otlp_traces_protocol: Annotated[str, AfterValidator(_protocol)] | None = Field(
        None, description="The same, for traces alone."
    )
    otel_traces_exporter: str | None = Field(None, description="none: no traces, whatever else is set.")
    otel_sdk_disabled: bool = Field(False, description="true: no traces, whatever else is set.")

    @property
    def is_embedded(self) -> bool:
        """No DATABASE_URL is set: Usher starts its own PostgreSQL and loads the demo theaters."""
        return self.database_url is None

    @property
    def traces_endpoint(self) -> str | None:
        """The whole address to which traces are sent; None: nowhere."""
        if self.otel_sdk_disabled or self.otel_traces_exporter == "none":
            return None
        base = self.otel_exporter_otlp_endpoint
        return self.otel_exporter_otlp_traces_endpoint or (None if base is None else f"{base.rstrip('/')}/v1/traces")

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        if problems := "\n".join(self._contradictions()):
            raise ValueError(problems)
        return self

    def _contradictions(self) -> Iterator[str]:
        """What is wrong with settings that are well each for itself: a line for each."""
        if self.max_hold_seconds < self.reservation_timeout:
            yield (
                f"MAX_HOLD_SECONDS={self.max_hold_seconds} is not allowed: "
                f"at least RESERVATION_TIMEOUT, which is {self.reservation_timeout}"
            )
        if self.migrations_database_url is not None and self.database_url is None:
            yield "MIGRATIONS_DATABASE_URL is not allowed without DATABASE_URL: it is the same database"
        if self.database_url is not None and self.jwt_secret is None:
            yield "JWT_SECRET is not set but required with DATABASE_URL; make one with: openssl rand -hex 32"
        needed = {"STRIPE_API_KEY": self.stripe_api_key, "STRIPE_WEBHOOK_SECRET": self.stripe_webhook_secret}
        missing = [name for name, value in needed.items() if value is None]
        if missing and self.payment_provider is PaymentProviderName.STRIPE:
            why = "required with PAYMENT_PROVIDER=stripe; see docs/payments.md"
            yield f"{' and '.join(missing)} not set but {why}"
        if not missing and importlib.util.find_spec("stripe") is None:
            how = ".venv/bin/python -m pip install 'stripe[async]>=16.1,<17'"
            yield f"STRIPE_API_KEY needs Stripe's library; install it with: {how}"
        if self.traces_endpoint is not None and not all(_is_installed(each) for each in _OPENTELEMETRY):
            how = ".venv/bin/python -m pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http"
            yield f"OTEL_EXPORTER_OTLP_ENDPOINT needs OpenTelemetry's SDK; install it with: {how}"

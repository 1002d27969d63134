"""Every setting. They come from environment variables, and only this module reads those.

A field has the name of its variable in lower case, a description and bounds. A value that is not allowed ends the
program with a line that says what was given and what is allowed. Secrets are never shown. `.env.example` and README
list all settings; a test compares them.
"""

import base64
import hashlib
import importlib.util
import re
import sys
from enum import StrEnum
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import AfterValidator, BeforeValidator, Field, IPvAnyNetwork, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

EXIT_BAD_SETTING: Final = 3

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


# Words of placeholders and examples that people forget to replace. The hexadecimal one is from FastAPI's tutorial.
_WELL_KNOWN: Final = re.compile(
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7|changeme|change|replace|insecure|default|example"
    "|password|passwd|secret|token|string|random|generate|production|development|openssl|characters|chars|minimum"
    "|least|bytes|bits|bit|usher|jwt|key|dev|prod|test|super|very|long|must|this|that|with|your|here|please|value|hs256"
    "|keep|safe|not|for|the|use|lorem|ipsum|dolor|amet|consectetur|in|at|me|my|is|be|to|a|1234567890|0123456789|123456789|12345678|256|32|abc123|qwerty"
)


# What fingers run along: the rows of keyboards of several countries and habits, how they interlock, the alphabet.
_RUNS: Final = (
    "qwertzuiop yxcvbnm azertyuiop qsdfghjklm wxcvbn 01234567890 abcdefghijklmnopqrstuvwxyz pyfgcrl aoeuidhtns"
    " qjkxbmwvz qwfpgjluy arstdhneio zxcvbkm \u0439\u0446\u0443\u043a\u0435\u043d\u0433\u0448\u0449\u0437\u0445\u044a"
    " \u0444\u044b\u0432\u0430\u043f\u0440\u043e\u043b\u0434\u0436\u044d"
    " \u044f\u0447\u0441\u043c\u0438\u0442\u044c\u0431\u044e"
)
_KEYS: Final = ("1234567890-=", "qwertyuiop[]", "asdfghjkl;'", "zxcvbnm,./")
"""A key touches two of the row below: the one under it, and the one to the left of that."""
_UNSHIFTED: Final = str.maketrans('!@#$%^&*()_+{}|:"<>?', "1234567890-=[]\\;',./")
_NEIGHBOURS: Final = frozenset(
    pair
    for one, other in (
        *(pair for run in (*_RUNS.split(), *_KEYS) for pair in pairwise(run)),
        *(
            pair
            for row, below in pairwise(_KEYS)
            for pair in (*zip(row, below, strict=False), *zip(row[1:], below, strict=False))
        ),
    )
    for pair in (one + other, other + one)
)


def without_runs(text: str) -> str:
    """The text without what is, for four characters or more, the order of a keyboard or of the alphabet."""
    runs = [""]
    for character in text:
        if runs[-1] and (runs[-1][-1] + character).translate(_UNSHIFTED) in _NEIGHBOURS:
            runs[-1] += character
        else:
            runs.append(character)
    return "".join(run for run in runs if len(run) < 4)


_HASHES: Final = frozenset(
    hashing(word.encode()).hexdigest()
    for word in (*_WELL_KNOWN.pattern.split("|"), "", "123456", "admin")
    for hashing in (hashlib.md5, hashlib.sha1, hashlib.sha256)
)
"""Of words that everybody knows: they only look random."""


def _strong(secret: str) -> str:
    """The secret, if it looks random.

    Raises:
        ValueError: it is too short, repeats itself, is text in another coding, or has little besides well-known words
            and the order of a keyboard.
    """
    how = "make one with: openssl rand -hex 32"
    if len(secret.encode()) < 32:
        raise ValueError(f"at least 32 bytes, this one has {len(secret.encode())}; {how}")
    repeats = any(secret.startswith(secret[period:]) for period in range(1, len(secret) // 2 + 1))
    is_other_text = _is_encoded_text(secret) or secret.lower() in _HASHES
    if repeats or is_other_text or len(set(secret)) < 8 or _is_in_order(secret.lower()):
        raise ValueError(
            f"a random value, this one has well-known words, repeats itself or follows the keyboard; {how}"
        )
    return secret


def _is_in_order(text: str) -> bool:
    """Whether little is left of it without well-known words, or next to nothing without the order of a keyboard.

    It is read in several ways: as it is, each character once, every second one first.
    """
    bare = re.sub(r"[\W_]", "", text)
    once = "".join(one for one, before in zip(bare, f" {bare}", strict=False) if one != before)
    wordless = re.sub(r"[\W_]", "", without_runs(_WELL_KNOWN.sub(" ", text)))
    readings = text, bare, once, bare[::2] + " " + bare[1::2]
    orderless = [re.sub(r"[\W_]", "", without_runs(each)) for each in readings]
    return len(wordless) < 16 or len(set(wordless)) < 6 or any(len(left) < 12 for left in orderless)


def _is_encoded_text(secret: str) -> bool:
    """Is it text, written in hexadecimal digits or base64? No 16 random bytes are."""
    for decode in (bytes.fromhex, partial(base64.b64decode, validate=True)):
        try:
            if decode(secret).decode("ascii").isprintable():
                return True
        except ValueError:
            continue
    return False


def _postgresql(url: str) -> str:
    """The URL as SQLAlchemy needs it: `postgresql+asyncpg://`, with asyncpg's name for sslmode.

    Raises:
        ValueError: it is not a PostgreSQL URL.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in {"postgresql", "postgres", "postgresql+asyncpg"}:
        raise ValueError("postgresql://user:password@host:5432/database")
    return "postgresql+asyncpg://" + re.sub(r"(?<=[?&])sslmode=", "ssl=", rest)


def _redis(url: str) -> str:
    if not url.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("redis://host:6379/0, rediss://... or unix:///path/to/socket")
    return url


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
Secret = Annotated[str, AfterValidator(_strong)]
Secrets = Annotated[tuple[Secret, ...], NoDecode, BeforeValidator(_parts)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Settings(BaseSettings):
    """The settings of one process: checked once at start, then frozen. An empty variable counts as not set."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True, validate_default=False)

    # Servers and addresses
    database_url: Annotated[str, AfterValidator(_postgresql)] | None = Field(
        None,
        repr=False,
        description="PostgreSQL: postgresql://user:password@host/database. Not set: Usher starts its own.",
    )
    migrations_database_url: Annotated[str, AfterValidator(_postgresql)] | None = Field(
        None,
        repr=False,
        description="The same database for migrations, by another way: around a connection pooler, or as another role. "
        "Not set: DATABASE_URL.",
    )
    redis_url: Annotated[str, AfterValidator(_redis)] | None = Field(
        None, repr=False, description="Valkey or Redis: redis://host:6379/0. Not set: Usher starts its own."
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
    log_format: Annotated[LogFormat, BeforeValidator(_lower)] = Field(
        LogFormat.TEXT, description="The format of log lines: text or json."
    )

    @property
    def is_embedded(self) -> bool:
        """No DATABASE_URL is set: Usher starts its own PostgreSQL and loads the demo theaters."""
        return self.database_url is None

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        if self.max_hold_seconds < self.reservation_timeout:
            raise ValueError(
                f"MAX_HOLD_SECONDS={self.max_hold_seconds} is not allowed: "
                f"at least RESERVATION_TIMEOUT, which is {self.reservation_timeout}"
            )
        if self.migrations_database_url is not None and self.database_url is None:
            raise ValueError("MIGRATIONS_DATABASE_URL is not allowed without DATABASE_URL: it is the same database")
        if self.database_url is not None and self.jwt_secret is None:
            raise ValueError(
                "JWT_SECRET is not set but required with DATABASE_URL; make one with: openssl rand -hex 32"
            )
        self._can_use_stripe()
        return self

    def _can_use_stripe(self) -> None:
        needed = {"STRIPE_API_KEY": self.stripe_api_key, "STRIPE_WEBHOOK_SECRET": self.stripe_webhook_secret}
        missing = [name for name, value in needed.items() if value is None]
        is_chosen = self.payment_provider is PaymentProviderName.STRIPE
        if missing and is_chosen:
            why = "required with PAYMENT_PROVIDER=stripe; see docs/payments.md"
            raise ValueError(f"{' and '.join(missing)} not set but {why}")
        if not missing and importlib.util.find_spec("stripe") is None:
            how = ".venv/bin/python -m pip install 'stripe[async]>=16.1,<17'"
            raise ValueError(f"STRIPE_API_KEY needs Stripe's library; install it with: {how}")


class BadSettings(Exception):
    """Settings that are not allowed. The text has one line for each, and never a secret."""


def read_settings() -> Settings:
    """The settings from the environment.

    Raises:
        BadSettings: a value is not allowed, or a required one is missing.
    """
    try:
        return Settings()
    except ValidationError as error:
        lines = {_line(problem) for problem in error.errors() if problem["type"] != "default_factory_not_called"}
        raise BadSettings("\n".join(sorted(lines))) from None


def settings_or_exit() -> Settings:
    """The settings from the environment. If one is not allowed, ends the program with exit code 3 and says why."""
    try:
        return read_settings()
    except BadSettings as bad:
        sys.stderr.write(f"{bad}\n")
        sys.exit(EXIT_BAD_SETTING)


def _line(problem: ErrorDetails) -> str:
    """A line about one bad setting: its name, what was given (unless it is a secret), what is allowed."""
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

"""What a setting may be, and what the program says and does when it is something else."""

import json
import os
import re
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from app import __version__
from app.settings import BadSettings, Settings, read_settings, slips
from app.settings.reading import SECRETS
from tests.forking import Forker

GOOD_SECRET = "k3Jq8mWz5TnXv2RbY7cLd0PfHs4GtA9e"


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(f"{name.upper()}_FILE", raising=False)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("PORT", "65536", "a whole number from 0 to 65535"),
        ("PORT", "-1", "a whole number from 0 to 65535"),
        ("PORT", "eighty", "a whole number from 0 to 65535"),
        ("RESERVATION_TIMEOUT", "0", "a whole number from 1 to 86400"),
        ("RESERVATION_TIMEOUT", "86401", "a whole number from 1 to 86400"),
        ("RESERVATION_TIMEOUT", "5.5", "a whole number from 1 to 86400"),
        ("MAX_SEATS_PER_USER", "0", "a whole number from 1 to 100000"),
        ("WEB_CONCURRENCY", "0", "a whole number from 1 to 64"),
        ("COMMAND_DEADLINE_SECONDS", "nan", "more than 0, up to 60"),
        ("COMMAND_DEADLINE_SECONDS", "inf", "more than 0, up to 60"),
        ("RECONCILE_SECONDS", "0", "a number from 0.1 to 60"),
        ("GUESTS", "perhaps", "on or off"),
        ("LOG_FORMAT", "xml", "text or json"),
        ("REDIS_URL", "http://localhost", "redis://host:6379/0"),
        ("REDIS_PREFIX", "two words", "1 to 64 letters, digits"),
    ],
)
def test_a_bad_value_is_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, allowed: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(BadSettings) as refused:
        read_settings()

    assert len(str(refused.value).splitlines()) == 1
    assert str(refused.value).startswith(f"{name}=")
    assert allowed in str(refused.value)


def test_two_bad_values_are_two_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "x")
    monkeypatch.setenv("SWEEP", "x")

    with pytest.raises(BadSettings) as refused:
        read_settings()

    assert [line.split("=")[0] for line in str(refused.value).splitlines()] == ["PORT", "SWEEP"]


@pytest.mark.parametrize(
    "secret",
    [
        "secret",
        "0123456789abcdef0123456789abcde",
        "a" * 64,
        "abcdefgh" * 8,
        "changeme-changeme-changeme-changeme",
        "your-secret-key-change-in-production",
        "a-string-secret-at-least-256-bits-long",
        "super-secret-jwt-key-please-change-me-1234567890",
        "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
        "qwertyuiopasdfghjklzxcvbnm1234567890",
        "poiuytrewqlkjhgfdsamnbvcxz0987654321",
        "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
        "1qazxsw23edcvfr45tgbnhy67ujm,ki89ol.",
        "qazwsxedcrfvtgbyhnujmikolp1234567890",
        "!QAZ@WSX#EDC$RFV%TGB^YHN&UJM*IK<",
        "q1w2e3r4t5y6u7i8o9p0a1s2d3f4g5h6",
        "QWERTYUIOP{}ASDFGHJKL:ZXCVBNM<>?",
        "qwertzuiopasdfghjklyxcvbnm1234567890",
        "azertyuiopqsdfghjklmwxcvbn1234567890",
        "abcdefghijklmnopqrstuvwxyz0123456789",
        "ZYXWVUTSRQPONMLKJIHGFEDCBA9876543210",
        "zaqxswcdevfrbgtnhymjukilop0987654321",
        "1qwa2wes3erd4rtf5tyg6yuh7uij8iok",
        "00112233445566778899aabbccddeeff",
        "aabbccddeeffgghhiijjkkllmmnnooppqq",
        "a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6",
        "qpwoeirutyalskdjfhgzmxncbv1029384756",
        "aoeuidhtnspyfgcrlqjkxbmwvz1234567890",
        "qwfpgjluyarstdhneiozxcvbkm1234567890",
        "\u0439\u0446\u0443\u043a\u0435\u043d\u0433\u0448\u0449\u0437\u0445\u044a\u0444\u044b\u0432\u0430\u043f\u0440\u043e\u043b\u0434\u0436\u044d",
        "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=",
        "636f727265637420686f727365206261747465727920737461706c65",
        "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8",
        "loremipsumdolorsitametconsectetur",
    ],
)
def test_a_weak_secret_is_refused_and_never_shown(monkeypatch: pytest.MonkeyPatch, secret: str) -> None:
    monkeypatch.setenv("JWT_SECRET", secret)

    with pytest.raises(BadSettings) as refused:
        read_settings()

    assert str(refused.value).startswith("JWT_SECRET=(not shown)")
    assert secret not in str(refused.value).removeprefix("JWT_SECRET")


@pytest.mark.parametrize(
    "secret", [GOOD_SECRET, secrets.token_hex(32), secrets.token_urlsafe(32)], ids=["good", "hex", "urlsafe"]
)
def test_a_random_secret_is_taken(monkeypatch: pytest.MonkeyPatch, secret: str) -> None:
    monkeypatch.setenv("JWT_SECRET", secret)

    assert read_settings().jwt_secret == secret


def test_random_secrets_are_not_mistaken_for_the_keyboard(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(200):
        secret = secrets.token_hex(32)
        monkeypatch.setenv("JWT_SECRET", secret)

        assert read_settings().jwt_secret == secret


def test_there_may_be_several_previous_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    earlier = [secrets.token_hex(32) for _ in range(3)]
    monkeypatch.setenv("JWT_SECRET_PREVIOUS", ", ".join(earlier))

    assert read_settings().jwt_secret_previous == tuple(earlier)


def test_each_previous_secret_is_looked_at_and_none_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_SECRET_PREVIOUS", f"{GOOD_SECRET},qwertyuiopasdfghjklzxcvbnm1234567890")

    with pytest.raises(BadSettings) as refused:
        read_settings()

    assert str(refused.value).startswith("JWT_SECRET_PREVIOUS=(not shown)")
    assert "qwertyuiop" not in str(refused.value)
    assert GOOD_SECRET not in str(refused.value)


def test_a_given_database_needs_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://usher:geheim@db/usher")

    with pytest.raises(BadSettings, match="JWT_SECRET is not set") as refused:
        read_settings()

    assert "geheim" not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("postgres://u:p@db/usher", "postgresql+asyncpg://u:p@db/usher"),
        ("postgresql://u:p@db/usher?sslmode=require", "postgresql+asyncpg://u:p@db/usher?sslmode=require"),
        ("postgresql+asyncpg://u@/usher?host=/run/pg", "postgresql+asyncpg://u@/usher?host=/run/pg"),
    ],
)
def test_every_usual_way_to_write_a_database_url_is_understood(
    monkeypatch: pytest.MonkeyPatch, given: str, meant: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", given)
    monkeypatch.setenv("JWT_SECRET", GOOD_SECRET)

    assert read_settings().database_url == meant


@pytest.mark.parametrize(
    "url", ["mysql://u:geheim@db/usher", "usher.sqlite", "postgresql+psycopg2://u:geheim@db/usher"]
)
def test_another_database_is_refused_without_its_password(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("DATABASE_URL", url)

    with pytest.raises(BadSettings, match=r"DATABASE_URL=\(not shown\)") as refused:
        read_settings()

    assert "geheim" not in str(refused.value)


def test_secrets_are_not_in_the_printed_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:geheim@db/usher")
    monkeypatch.setenv("JWT_SECRET", GOOD_SECRET)

    printed = repr(read_settings()) + str(read_settings())

    assert "geheim" not in printed
    assert GOOD_SECRET not in printed


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "")
    monkeypatch.setenv("PORT", "")

    assert read_settings().is_embedded
    assert read_settings().port == 8000


def test_the_cap_of_a_hold_follows_a_longer_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESERVATION_TIMEOUT", "1200")

    assert read_settings().max_hold_seconds == 1200


def test_a_cap_that_is_shorter_than_a_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESERVATION_TIMEOUT", "1200")
    monkeypatch.setenv("MAX_HOLD_SECONDS", "900")

    with pytest.raises(BadSettings, match="MAX_HOLD_SECONDS=900 is not allowed: at least RESERVATION_TIMEOUT"):
        read_settings()


def test_a_bad_setting_ends_the_program_with_3_and_no_traceback() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "app", "serve"],
        env=os.environ | {"PORT": "99999", "JWT_SECRET": "secret"},
        check=False,
        capture_output=True,
        text=True,
    )

    assert ended.returncode == 3
    assert ended.stdout == ""
    assert [line.split("=")[0] for line in ended.stderr.splitlines()] == ["JWT_SECRET", "PORT"]


STRIPE = {"STRIPE_API_KEY": "sk_test_51abc", "STRIPE_WEBHOOK_SECRET": "whsec_abc", "PAYMENT_PROVIDER": "stripe"}


def _set(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    for name, value in values.items():
        monkeypatch.setenv(name, value)


def test_stripe_needs_a_key_and_a_webhook_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, STRIPE)

    assert read_settings().stripe_api_key == "sk_test_51abc"


@pytest.mark.parametrize("missing", [["STRIPE_API_KEY"], ["STRIPE_WEBHOOK_SECRET"], list(STRIPE)[:2]])
def test_stripe_without_its_secrets_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch, missing: list[str]) -> None:
    _set(monkeypatch, {name: value for name, value in STRIPE.items() if name not in missing})

    with pytest.raises(BadSettings) as refused:
        read_settings()

    said = f"{' and '.join(missing)} not set but required with PAYMENT_PROVIDER=stripe; see docs/payments.md"
    assert str(refused.value) == said


def test_stripe_without_its_library_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, STRIPE)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    with pytest.raises(BadSettings, match=r"^STRIPE_API_KEY needs Stripe's library; .* install .*$") as refused:
        read_settings()

    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STRIPE_API_KEY", "pk_test_51publishable"),
        ("STRIPE_API_KEY", "sk_test_with a space"),
        ("STRIPE_WEBHOOK_SECRET", "we_1a2b3c"),
    ],
)
def test_what_is_no_secret_of_stripe_is_refused_and_never_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    _set(monkeypatch, STRIPE | {name: value})

    with pytest.raises(BadSettings) as refused:
        read_settings()

    assert str(refused.value).startswith(f"{name}=(not shown) is not allowed: ")
    assert value not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PAYMENT_PROVIDER", "paypal"),
        ("STRIPE_RETURN_URL", "tickets.example.org"),
        ("STRIPE_API_BASE", "http://api.example.org"),
        ("STRIPE_API_BASE", "http://127.0.0.1.example.org"),
        ("STRIPE_API_BASE", "https://api.example.org/v1"),
    ],
)
def test_what_else_belongs_to_stripe_is_looked_at(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    _set(monkeypatch, STRIPE | {name: value})

    with pytest.raises(BadSettings, match=f"^{name}={value} is not allowed: "):
        read_settings()


@pytest.mark.parametrize("base", ["http://127.0.0.1:12111", "http://localhost:12111", "https://stripe.example.org"])
def test_a_secret_key_leaves_the_machine_encrypted_only(monkeypatch: pytest.MonkeyPatch, base: str) -> None:
    _set(monkeypatch, STRIPE | {"STRIPE_API_BASE": base})

    assert read_settings().stripe_api_base == base


def test_a_program_without_stripes_secrets_ends_with_the_exit_code_for_settings(forker: Forker) -> None:
    ended = run(forker, "serve", PAYMENT_PROVIDER="stripe")

    said = "STRIPE_API_KEY and STRIPE_WEBHOOK_SECRET not set but required with PAYMENT_PROVIDER=stripe; see"
    assert ended.returncode == 3
    assert ended.stderr.splitlines() == [f"{said} docs/payments.md"]


def test_all_mistakes_are_told_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _set(
        monkeypatch,
        {
            "PORT": "x",
            "DATABASE_URL": "postgresql://u:geheim@db/usher",
            "MAX_HOLD_SECONDS": "60",
            "PAYMENT_PROVIDER": "stripe",
            "STRIPE_API_KEY_FILE": str(tmp_path / "nothing"),
        },
    )

    with pytest.raises(BadSettings) as refused:
        read_settings()

    assert [re.split(r"[ =]", line)[0] for line in str(refused.value).splitlines()] == [
        "JWT_SECRET",
        "MAX_HOLD_SECONDS",
        "PORT",
        "STRIPE_API_KEY",
        "STRIPE_API_KEY_FILE",
    ]
    assert "geheim" not in str(refused.value)


def test_what_is_wrong_already_is_not_said_to_be_missing_too(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, {"DATABASE_URL": "postgresql://u@db/usher", "JWT_SECRET": "short", "RESERVATION_TIMEOUT": "-1"})

    with pytest.raises(BadSettings) as refused:
        read_settings()

    assert [line.split("=")[0] for line in str(refused.value).splitlines()] == ["JWT_SECRET", "RESERVATION_TIMEOUT"]


def test_every_secret_may_be_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given = {
        "DATABASE_URL": "postgresql+asyncpg://u:geheim@db/usher",
        "MIGRATIONS_DATABASE_URL": "postgresql+asyncpg://owner:geheim@db/usher",
        "REDIS_URL": "redis://:geheim@cache:6379/0",
        "JWT_SECRET": GOOD_SECRET,
        "JWT_SECRET_PREVIOUS": GOOD_SECRET[::-1],
        "DEMO_PASSWORD": "usher-of-the-house",
        "DUMMY_WEBHOOK_SECRET": "whsec-of-the-dummy",
        "STRIPE_API_KEY": "sk_test_51abc",
        "STRIPE_WEBHOOK_SECRET": "whsec_abc",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "https://collector.example.org/a-key",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://collector.example.org/a-key/v1/traces",
    }
    for name, value in given.items():
        (tmp_path / name).write_text(f"{value}\n")
        monkeypatch.setenv(f"{name}_FILE", str(tmp_path / name))

    settings = read_settings()

    assert given.keys() == SECRETS
    assert {name: getattr(settings, name.lower()) for name in given} == given | {
        "JWT_SECRET_PREVIOUS": (GOOD_SECRET[::-1],)
    }


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "it cannot be read (No such file or directory)"),
        (b"", "it is empty"),
        (b"\n", "it is empty"),
        (b"\xff\xfe" * 20, "it is not text (UTF-8)"),
        (b"a" * 70_000, "it is too large for a secret"),
    ],
    ids=["missing", "empty", "blank", "binary", "large"],
)
def test_a_file_that_holds_no_secret_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None, reason: str
) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("JWT_SECRET_FILE", str(path))

    with pytest.raises(BadSettings) as refused:
        read_settings()

    assert str(refused.value) == f"JWT_SECRET_FILE={path} is not allowed: {reason}"


def test_a_secret_of_a_file_is_looked_at_and_not_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("qwertyuiopasdfghjklzxcvbnm1234567890\n")
    monkeypatch.setenv("JWT_SECRET_FILE", str(tmp_path / "secret"))

    with pytest.raises(BadSettings) as refused:
        read_settings()

    assert str(refused.value).startswith("JWT_SECRET=(not shown) is not allowed: ")
    assert "qwerty" not in str(refused.value)


def test_a_secret_and_a_file_of_it_are_one_too_many(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(GOOD_SECRET)
    _set(monkeypatch, {"JWT_SECRET": GOOD_SECRET, "JWT_SECRET_FILE": str(tmp_path / "secret")})

    with pytest.raises(BadSettings, match=r"^JWT_SECRET and JWT_SECRET_FILE are both set: set one of them$"):
        read_settings()


def test_names_that_look_misspelt_are_warned_about(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("USHER_"):
            monkeypatch.delenv(name)
    strangers = {"HOSTNAME": "a", "DATABASE_HOST": "b", "REDIS_HOST": "c", "USHER_SERVICE_PORT": "80", "LOGNAME": "d"}
    _set(monkeypatch, strangers | {"USHER_PORT": "tcp://10.0.0.1:80", "USHER_PORT_80_TCP_ADDR": "10.0.0.1"})
    _set(monkeypatch, {"port": "9000", "REDIS_URI": "", "JWT_SECRET_FILE": "x"})
    assert slips() == []

    _set(monkeypatch, {"REDIS_URI": "x", "JWT_SECRET_KEY": "x", "USHER_WORKERS": "2", "CORS_ORIGIN": "*"})

    assert slips() == [
        "CORS_ORIGIN is set, but is no setting. Did you mean CORS_ORIGINS?",
        "JWT_SECRET_KEY is set, but is no setting. Did you mean JWT_SECRET?",
        "REDIS_URI is set, but is no setting. Did you mean REDIS_URL?",
        "USHER_WORKERS is set, but is no setting. The settings: ./usher settings",
    ]


def run(forker: Forker, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command of Usher, in an environment that has only these settings."""
    process = forker.start(*words, environment={"PATH": os.environ["PATH"]} | environment)
    said, complained = process.communicate()
    return subprocess.CompletedProcess(words, process.wait(), said, complained)


def test_what_is_missing_may_be_there_under_another_name(forker: Forker) -> None:
    ended = run(forker, "serve", DATABASE_URL="postgresql://127.0.0.1:1/x", JWT_SECRETS=GOOD_SECRET, PORT="abc")

    assert ended.returncode == 3
    assert [line.split()[0].partition("=")[0] for line in ended.stderr.splitlines()] == [
        "JWT_SECRET",
        "PORT",
        "JWT_SECRETS",
    ]
    assert "Did you mean JWT_SECRET?" in ended.stderr
    assert GOOD_SECRET not in ended.stderr


def test_the_settings_are_printed_without_secrets_and_what_was_set_is_marked(forker: Forker) -> None:
    url = "postgresql://u:geheim@db/usher"
    ended = run(
        forker, "settings", DATABASE_URL=url, JWT_SECRET=GOOD_SECRET, PORT="9000", CORS_ORIGIN="*", METRICS_FROM="::1"
    )

    lines = ended.stdout.splitlines()
    assert ended.returncode == 0
    assert len(lines) == len(Settings.model_fields)
    assert {line for line in lines if line.startswith("*")} == {
        "* DATABASE_URL=(not shown)",
        "* JWT_SECRET=(not shown)",
        "* PORT=9000",
        "* METRICS_FROM=::1",
    }
    assert "geheim" not in ended.stdout + ended.stderr
    assert ended.stderr == "CORS_ORIGIN is set, but is no setting. Did you mean CORS_ORIGINS?\n"


def test_a_warning_has_the_format_of_the_log(forker: Forker) -> None:
    ended = run(forker, "settings", CORS_ORIGIN="*", LOG_FORMAT="json")

    said = json.loads(ended.stderr)
    assert said["level"] == "warning"
    assert said["message"] == "CORS_ORIGIN is set, but is no setting. Did you mean CORS_ORIGINS?"


def test_the_version_is_said_with_that_of_the_schema(forker: Forker) -> None:
    ended = run(forker, "--version")

    assert ended.returncode == 0
    assert re.fullmatch(rf"Usher {re.escape(__version__)}, database schema \d{{4}}, Python 3\.\d+\.\d+\n", ended.stdout)

"""A token is believed in exactly the form that Usher issues, and in no other."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import jwt
import pytest
from httpx import AsyncClient

from app.domain.people.people import Person, Role
from app.domain.refusals import Unauthenticated
from app.main import Usher
from app.services.people import tokens as tokens_module
from app.services.people.revocations import Origin
from app.services.people.tokens import Tokens
from tests.routers.wire import Wire

SECRET = "a secret for these tests, long enough"
ANOTHER = "another secret for these tests, long enough"
HOUR = 3600


def now() -> int:
    return int(datetime.now(UTC).timestamp())


def claims(**changed: Any) -> dict[str, Any]:
    """What Usher says in a token, with changes; None takes a claim away."""
    said = {
        "sub": "17",
        "role": "customer",
        "guest": True,
        "typ": "access",
        "era": 0,
        "jti": "x",
        "iat": now(),
        "exp": now() + 60,
    }
    return {name: value for name, value in (said | changed).items() if value is not None}


def signed(secret: str = SECRET, algorithm: str = "HS256", **changed: Any) -> bytes:
    return jwt.encode(claims(**changed), secret, algorithm).encode()


def signed_with_another_algorithm() -> bytes:
    """With the right secret, so that only the algorithm is wrong; PyJWT warns that it is short for that."""
    with pytest.warns(jwt.warnings.InsecureKeyLengthWarning):
        return signed(algorithm="HS512")


@pytest.fixture
def tokens() -> Tokens:
    return Tokens(SECRET, guest_seconds=HOUR)


def test_our_own_token_is_believed(tokens: Tokens) -> None:
    token = tokens.guest_token(17, datetime.now(UTC), "x")

    assert tokens.person(token.encode()) == Person(17, Role.CUSTOMER, is_guest=True)


def test_our_own_token_is_what_pyjwt_would_sign(tokens: Tokens) -> None:
    token = tokens.guest_token(17, datetime.now(UTC), "x")

    assert jwt.decode(token, SECRET, algorithms=["HS256"])["sub"] == "17"
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT"}


def test_the_same_guest_gets_the_same_token_again(tokens: Tokens) -> None:
    at = datetime(2026, 11, 20, tzinfo=UTC)

    assert tokens.guest_token(17, at, "x") == Tokens(SECRET, guest_seconds=HOUR).guest_token(17, at, "x")
    assert tokens.guest_token(17, at, "x") != tokens.guest_token(17, at, "y")


def test_a_token_of_the_secret_before_is_believed() -> None:
    rotated = Tokens(ANOTHER, previous=[SECRET], guest_seconds=HOUR)

    assert rotated.person(signed()).id == 17
    assert rotated.person(rotated.guest_token(18, datetime.now(UTC), "x").encode()).id == 18


UNBELIEVABLE: dict[str, dict[str, Any]] = {
    "another secret": {"secret": ANOTHER},
    "ran out": {"iat": now() - 7200, "exp": now() - 3600},
    "no end": {"exp": None},
    "no beginning": {"iat": None},
    "nobody": {"sub": None},
    "no name of its own": {"jti": None},
    "ends in years": {"exp": now() + 10 * 366 * 86_400},
    "ends at a text": {"exp": "tomorrow"},
    "ends at a fraction": {"exp": now() + 60.5},
    "ends beyond all numbers": {"exp": 10**400},
    "ends never": {"exp": float("inf")},
    "is true": {"exp": True},
    "ends before it begins": {"iat": now() + 5, "exp": now() + 1},
    "begins tomorrow": {"iat": now() + 86_400, "exp": now() + 86_460},
    "a number for a subject": {"sub": 17},
    "a name for a subject": {"sub": "ada"},
    "a negative subject": {"sub": "-17"},
    "a subject in other digits": {"sub": "\u0661\u0667"},
    "nobody's number": {"sub": "0"},
    "a subject beyond the column": {"sub": str(2**63)},
    "an unknown role": {"role": "god"},
    "no role": {"role": None},
    "a list of roles": {"role": ["admin"]},
    "a text for the guest": {"guest": "yes"},
    "a refresh token": {"typ": "refresh"},
    "no type": {"typ": None},
    "a text for the era": {"era": "0"},
    "a session that is none": {"sid": "x"},
    "a session of numbers": {"sid": [1]},
    "an account's for as long as a guest's": {"guest": False, "exp": now() + 2 * 86_400},
    "a guest's for longer than any setting allows": {"exp": now() + 366 * 86_400},
    "another audience": {"aud": "somebody else"},
}


@pytest.mark.parametrize("changed", UNBELIEVABLE.values(), ids=UNBELIEVABLE)
def test_another_token_is_not_believed(tokens: Tokens, changed: dict[str, Any]) -> None:
    token = signed(**changed)

    with pytest.raises(Unauthenticated):
        tokens.person(token)


def test_another_algorithm_is_not_believed(tokens: Tokens) -> None:
    token = signed_with_another_algorithm()

    with pytest.raises(Unauthenticated):
        tokens.person(token)


def part(value: Any) -> bytes:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")


UNSIGNED = part({"alg": "none", "typ": "JWT"}) + b"." + part(claims()) + b"."
DEEP = base64.urlsafe_b64encode(b"[" * 5_000).rstrip(b"=")


@pytest.mark.parametrize(
    "token",
    [
        b"",
        b".",
        b"..",
        b"x.y.z",
        b"\xff\xfe.\x00.\x00",
        b"a" * 8_000,
        UNSIGNED,
        UNSIGNED + b"x",
        part({"alg": "None"}) + b"." + part(claims()) + b".",
        part({"alg": ["HS256"]}) + b"." + part(claims()) + b".x",
        part({"alg": "HS256", "crit": ["exp"]}) + b"." + part(claims()) + b".x",
        DEEP + b"." + part(claims()) + b".x",
        part({"alg": "HS256"}) + b"." + DEEP + b".x",
    ],
)
def test_what_is_no_token_is_not_believed(tokens: Tokens, token: bytes) -> None:
    with pytest.raises(Unauthenticated):
        tokens.person(token)


def test_an_edited_role_is_not_believed(tokens: Tokens) -> None:
    head, body, signature = tokens.guest_token(17, datetime.now(UTC), "x").encode().split(b".")
    said = json.loads(base64.urlsafe_b64decode(body + b"=="))

    with pytest.raises(Unauthenticated):
        tokens.person(b".".join((head, part(said | {"role": "admin"}), signature)))


def test_a_token_of_a_megabyte_is_not_even_read(tokens: Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens_module, "_claims", lambda *_: pytest.fail("it was read"))

    with pytest.raises(Unauthenticated):
        tokens.person(b"a" * 1_000_000)


def test_a_token_that_was_believed_is_not_verified_again(tokens: Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
    token = signed()
    tokens.person(token)
    monkeypatch.setattr(tokens_module, "_claims", lambda *_: pytest.fail("it was verified again"))

    assert tokens.person(token).id == 17


def test_a_token_that_was_believed_still_runs_out(tokens: Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
    token = signed()
    tokens.person(token)
    monkeypatch.setattr(tokens_module, "time", lambda: float(now() + 61))

    with pytest.raises(Unauthenticated):
        tokens.person(token)


def test_only_so_many_tokens_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens_module, "_REMEMBERED", 3)
    tokens = Tokens(SECRET, guest_seconds=HOUR)

    for number in range(1, 10):
        assert tokens.person(signed(sub=str(number))).id == number

    assert len(tokens._remembered) == 3


def test_a_token_whose_origin_has_ended_is_believed_no_more() -> None:
    over: set[Origin] = set()
    tokens = Tokens(SECRET, guest_seconds=HOUR, is_over=over.__contains__)
    token = signed()
    tokens.person(token)

    over.add(Origin(17, era=0))

    with pytest.raises(Unauthenticated):
        tokens.person(token)
    assert tokens.person(signed(sub="18")).id == 18


def test_an_access_token_says_its_session() -> None:
    tokens = Tokens(SECRET, guest_seconds=HOUR)
    origin = Origin(17, 3, uuid4())

    token = tokens.access_token(Person(17, Role.ADMIN), origin, datetime.now(UTC), "x")

    assert tokens.believed(token.encode()).origin == origin
    assert tokens.person(token.encode()) == Person(17, Role.ADMIN)


def test_a_token_from_a_clock_a_little_ahead_is_believed(tokens: Tokens) -> None:
    assert tokens.person(signed(iat=now() + 5)).id == 17


def test_a_shorter_setting_is_for_new_tokens() -> None:
    before = Tokens(SECRET, guest_seconds=30 * 86_400, access_seconds=HOUR)
    guests = before.guest_token(17, datetime.now(UTC) - timedelta(days=1), "x")
    accounts = before.access_token(Person(18), Origin(18), datetime.now(UTC) - timedelta(minutes=30), "x")

    after = Tokens(SECRET, guest_seconds=60, access_seconds=10)

    assert after.person(guests.encode()).id == 17
    assert after.person(accounts.encode()).id == 18


def test_a_guests_access_token_may_live_longer_than_a_guest_token() -> None:
    tokens = Tokens(SECRET, guest_seconds=60, access_seconds=900)

    token = tokens.access_token(Person(17, is_guest=True), Origin(17), datetime.now(UTC), "x")

    assert tokens.person(token.encode()).id == 17


def test_an_issued_token_lives_as_long_as_it_says(tokens: Tokens) -> None:
    old = tokens.guest_token(17, datetime.now(UTC) - timedelta(seconds=HOUR + 60), "x")

    with pytest.raises(Unauthenticated):
        tokens.person(old.encode())


# --- over HTTP -------------------------------------------------------------------------------------------------------


async def test_the_token_says_who_asks(edge: AsyncClient, token: str) -> None:
    answer = await edge.get("/screenings/1/seats/me", headers={"authorization": f"bearer  {token}"})

    assert answer.json()["person"] == 17


@pytest.mark.parametrize("authorization", ["Bearer x", "Bearer", "Bearer ", "Basic dTpw", "x", "", "Bearer a b"])
async def test_a_bad_token_is_never_taken_for_somebody_anonymous(edge: AsyncClient, authorization: str) -> None:
    for answer in (
        await edge.get("/screenings/1/seats/me", headers={"authorization": authorization}),
        await edge.post("/screenings/1/reservations", json={"seat": "A1"}, headers={"authorization": authorization}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_two_tokens_are_no_token(edge: AsyncClient, token: str) -> None:
    twice = [("authorization", f"Bearer {token}"), ("authorization", f"Bearer {token}")]

    assert (await edge.get("/screenings/1/seats/me", headers=twice)).status_code == 401


async def test_a_token_of_a_megabyte_gets_an_answer(served: Wire) -> None:
    head = b"GET /screenings/1/seats/me HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer "

    answer = await served.ask(head + b"x" * 1_000_000 + b"\r\n\r\n")

    assert answer.status in (401, 431)


async def test_seats_need_a_token_when_guests_are_off(edge: AsyncClient, edge_app: Usher, token: str) -> None:
    edge_app.state.resources.settings.guests = False

    anonymous = await edge.post("/screenings/1/reservations", json={"seat": "A1"})
    known = await edge.post(
        "/screenings/1/reservations", json={"seat": "A1"}, headers={"authorization": f"Bearer {token}"}
    )

    assert (anonymous.status_code, known.status_code) == (401, 201)

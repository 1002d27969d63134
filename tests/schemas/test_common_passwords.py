"""Passwords that everybody tries first are refused; those that only sound like them are not."""

import pytest
from pydantic import ValidationError
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from app.schemas.people.common_passwords import COMMON_PASSWORDS
from app.schemas.people.people import PasswordIn, RegisterIn

FIRST_TRIED, SHORTEST = 500, 4


def register(password: str) -> RegisterIn:
    return RegisterIn(username="ada", password=password)


def test_the_list_is_the_beginning_of_zxcvbns() -> None:
    most_common = FREQUENCY_LISTS["passwords"][:FIRST_TRIED]

    assert {each for each in most_common if len(each) >= SHORTEST} == COMMON_PASSWORDS


COMMON = [
    "password",
    "PassWord",
    "12345678",
    "qwertyuiop",
    "1q2w3e4r",
    "iloveyou",
    "\uff50assword",
    "trustno1",
    "iloveyou1",
    "organizer",
    "P@ssw0rd",
    "p4$$w0rd!",
    "letmein123",
    "123letmein",
    "letme!n99",
    "aaaaaaaaaaaa",
    "abababababab",
    "abc.abc.abc",
    "11112222",
    "passwordpassword",
    "dragon!dragon!",
    "pass-word",
    "password123456789",
    "asdfghjkl;",
    "Zxcvbnm,123",
    "abcdefghij",
    "0987654321qwerty",
    "Admin1stra7or",
    "usher2026",
    "admin1234",
    "admin@123",
    "demo2026!",
    "adminadmin1",
    "abcabcabc1",
    "1haha2026",
    "aabbccdd",
    "qqwweerrtt",
    "a1b2c3d4",
    "1a2b3c4d5e",
]


@pytest.mark.parametrize("password", COMMON)
def test_a_common_password_is_refused_with_what_would_do(password: str) -> None:
    with pytest.raises(ValidationError, match="everybody tries first") as refused:
        register(password)

    assert "Try a few words" in refused.value.errors()[0]["msg"]
    assert refused.value.errors()[0]["type"] == "password_common"
    with pytest.raises(ValidationError, match="everybody tries first"):
        PasswordIn(current_password="x", new_password=password)


def test_a_username_is_no_password() -> None:
    with pytest.raises(ValidationError, match="everybody tries first") as refused:
        RegisterIn(username="ada.lovelace", password="Ada.Lovelace")

    assert refused.value.errors()[0]["loc"] == ("password",)


@pytest.mark.parametrize(
    "password", ["ada.lovelace1", "1815AdaLovelace", "@da.lovelace", "adalovelace!", "ada.lovelaceada.lovelace"]
)
def test_what_is_made_of_a_username_is_none_either(password: str) -> None:
    with pytest.raises(ValidationError, match="everybody tries first"):
        RegisterIn(username="ada.lovelace", password=password)


@pytest.mark.parametrize(
    "password",
    [
        "usher-demo",
        "ada and lovelace",
        "x7!2#9@4",
        "aabb or ccdd",
        "my admin is away",
        "correct horse battery",
        "a long sentence",
        "another sentence",
        "dragon and shadow",
        "my password is long",
        "kestrel kestrel",
        "Tr0ub4dor&3",
        "xK9#mQ2$vL",
        "secret garden 1911",
        "letmein20261129",
        "\u79c1\u306e\u79d8\u5bc6\u306e\u8a00\u8449\u3067\u3059",
        "\u043c\u043e\u0439 \u043f\u0430\u0440\u043e\u043b\u044c",
        "M\u00fcller am See",
    ],
)
def test_an_ordinary_password_is_taken(password: str) -> None:
    assert register(password).password == password

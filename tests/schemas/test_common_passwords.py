"""Passwords that everybody tries first are refused; those that only sound like them are not."""

import pytest
from pydantic import ValidationError
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from app.schemas.common_passwords import COMMON_PASSWORDS
from app.schemas.people import SHORTEST_PASSWORD, RegisterIn

FIRST_TRIED = 500


def register(password: str) -> RegisterIn:
    return RegisterIn(username="ada", password=password)


def test_the_list_is_the_beginning_of_zxcvbns() -> None:
    most_common = FREQUENCY_LISTS["passwords"][:FIRST_TRIED]

    assert {each for each in most_common if len(each) >= SHORTEST_PASSWORD} == COMMON_PASSWORDS


@pytest.mark.parametrize(
    "password", ["password", "PassWord", "12345678", "qwertyuiop", "1q2w3e4r", "iloveyou", "\uff50assword", "trustno1"]
)
def test_a_common_password_is_refused_with_what_would_do(password: str) -> None:
    with pytest.raises(ValidationError, match="everybody tries first") as refused:
        register(password)

    assert "Try a few words" in refused.value.errors()[0]["msg"]
    assert refused.value.errors()[0]["type"] == "password_common"


@pytest.mark.parametrize(
    "password", ["usher-demo", "correct horse battery", "a long sentence", "password123", "secret12", "hunter22"]
)
def test_an_ordinary_password_is_taken(password: str) -> None:
    assert register(password).password == password

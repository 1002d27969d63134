"""What is said of a mistake in a body is for people: characters and not items, examples and not regular expressions."""

from typing import Any

import orjson
import pytest
from pydantic import BaseModel, ValidationError

from app.http.problems import mistakes
from app.schemas.format.faults import Mistake
from app.schemas.house.layouts import LayoutIn
from app.schemas.house.theaters import TheaterIn
from app.schemas.people.people import GuestIn, RegisterIn
from app.schemas.screenings import ScreeningIn

A_PRICE = {"amount_minor": 900, "currency": "EUR"}
A_SCREENING = {"title": "Matinee", "starts_at": "2030-06-01T13:00:00Z", "prices": {"standard": A_PRICE}}


def wrong(shape: type[BaseModel], body: Any) -> list[Mistake]:
    with pytest.raises(ValidationError) as found:
        shape.model_validate_json(orjson.dumps(body))
    return mistakes(found.value.errors(include_url=False, include_context=False, include_input=False))


@pytest.mark.parametrize(
    ("shape", "body", "most"),
    [
        (TheaterIn, {"name": "x" * 101, "timezone": "UTC"}, 100),
        (LayoutIn, {"sections": [{"name": "S" * 65, "rows": [{"row": "A", "seats": 1}]}]}, 64),
        (ScreeningIn, {**A_SCREENING, "title": "é" * 201}, 200),
        (ScreeningIn, {**A_SCREENING, "prices": {"p" * 65: A_PRICE}}, 64),
        (GuestIn, {"email": "a" * 250 + "@example.org"}, 254),
    ],
)
def test_a_text_that_is_too_long_is_counted_in_characters(shape: type[BaseModel], body: Any, most: int) -> None:
    [found] = wrong(shape, body)

    assert (found["code"], found["message"]) == ("string_too_long", f"String should have at most {most} characters")


@pytest.mark.parametrize("email", ["ada", "ada@", "@example.org", "a da@example.org", "a@b@c", "x" * 65 + "@y"])
def test_what_is_no_email_address_is_told_with_an_example(email: str) -> None:
    for shape, body in ((GuestIn, {}), (RegisterIn, {"username": "ada", "password": "a very long sentence"})):
        [found] = wrong(shape, {**body, "email": email})

        assert (found["code"], found["message"]) == (
            "email_form",
            "This should be an email address, as in ada@example.org.",
        )


def test_what_is_no_currency_is_told_with_an_example() -> None:
    [found] = wrong(ScreeningIn, {**A_SCREENING, "prices": {"standard": {"amount_minor": 900, "currency": "eur"}}})

    assert (found["code"], found["message"]) == (
        "currency_unknown",
        "This should be a current ISO 4217 currency code, such as EUR.",
    )

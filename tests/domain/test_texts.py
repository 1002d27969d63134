"""Names as people write them."""

import pytest

from app.domain.texts import one_line, same


@pytest.mark.parametrize(
    "text",
    [
        "A1",
        "\u6771\u4eac\u3000\u4e8c\u968e",  # an ideographic space
        "Loge\u00a012",  # a no-break space
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # Persian, with a zero-width non-joiner
        "\u0915\u094d\u200d\u0937",  # Hindi, with a zero-width joiner
        "\U0001f468\u200d\U0001f469\u200d\U0001f467",  # a family, joined
        "\u2764\ufe0f",
        "Vor\u00adder\u00adhaus",  # soft hyphens
        "\u200f\u05d0\u05d1\u200e 1",  # marks of direction
        "\u2067\u05d0\u2069",  # an isolate
    ],
)
def test_what_people_write_is_a_name(text: str) -> None:
    assert one_line(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "a\nb",
        "a\x00",
        "a\x7f",
        "a\x85",
        "a\u2028b",
        "a\u2029b",
        "a\u202eb",
        "a\u202db",
        "\ue000",
        "\ud800",
        "\uffff",
        "\ufdd0",
    ],
)
def test_what_is_no_line_of_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="one line"):
        one_line(text)


@pytest.mark.parametrize("text", ["\u200d", "\u3000\u00a0", "\ufe0f"])
def test_a_name_that_nobody_sees_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="seen"):
        one_line(text)


def test_two_spellings_of_a_letter_are_one() -> None:
    assert one_line("Cafe\u0301") == "Caf\u00e9"
    assert same("Cafe\u0301") == same("Caf\u00e9")

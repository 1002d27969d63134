"""What the pages say stands in files, one a language: what a page asks for is there, and each language is whole."""

import re
from pathlib import Path
from typing import Final

import pytest

WEB: Final = Path(__file__).parents[2] / "app" / "web"
ASKED: Final = re.compile(r"""(?:\bt|#say)\(\s*(?:\w+(?: === \w+)? \? )?"([\w!-]+)"(?: : "([\w!-]+)")?""")
WORD: Final = re.compile(r'^  (?:"([\w!-]+)"|(\w+)): (.*)', re.MULTILINE)


def words(language: str) -> dict[str, str]:
    """The sentences of a language by their names."""
    found = WORD.findall((WEB / "words" / f"{language}.js").read_text())
    return {quoted or name: said for quoted, name, said in found}


def values(said: str) -> set[str]:
    """What is filled in: {names}, or what a function takes."""
    function = re.match(r"\(\{ ([^}]*) \}", said)
    return set(function[1].split(", ")) if function else set(re.findall(r"\{(\w+)\}", said))


def test_german_says_all_that_english_says() -> None:
    assert words("de").keys() == words("en").keys()


def test_a_language_for_layouts_says_nothing_that_english_does_not() -> None:
    assert words("ar").keys() <= words("en").keys()


@pytest.mark.parametrize("language", ["de", "ar"])
def test_the_same_is_filled_in_everywhere(language: str) -> None:
    english = words("en")
    of_both = {name: (values(said), values(english[name])) for name, said in words(language).items()}

    assert {name: both for name, both in of_both.items() if not both[0] <= both[1]} == {}


def test_what_pages_ask_for_is_there() -> None:
    asked = {
        name
        for module in (WEB / "modules").rglob("*.js")
        for names in ASKED.findall(module.read_text())
        for name in names
        if name
    }

    assert len(asked) > 150
    assert asked - words("en").keys() == set()

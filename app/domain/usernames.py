"""Valid usernames, and which of them are the same.

A name is normalized (NFKC). It has letters and digits of any script, and `. _ - + @`, and begins with a letter or a
digit. Names that differ only in upper and lower case are the same name.

Nobody takes a name that looks like another one: it has no characters that are not seen, and its letters are of one
script, or of scripts that are written together (Japanese, Chinese and Korean, each with Latin).
"""

import unicodedata
from typing import Final

SHORTEST: Final = 3
LONGEST: Final = 64
_MARKS: Final = frozenset("._-+@")
# Letters and marks that show nothing: joiners, fillers, vowels that are only thought, selectors of variants.
_UNSEEN: Final = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\u180b\u180c\u180d\u180f"
    + "".join(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
)
_TOGETHER: Final = (
    {"LATIN", "CJK", "IDEOGRAPHIC", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"},
    {"LATIN", "CJK", "IDEOGRAPHIC", "BOPOMOFO"},
    {"LATIN", "CJK", "IDEOGRAPHIC", "HANGUL"},
)
_OF_ANY_SCRIPT: Final = {"COMBINING", "DIGIT", "MODIFIER"}


def normal(username: str) -> str:
    """The name as it is stored.

    Raises ValueError if it is not valid. The caller bounds its length to some hundred characters.
    """
    name = unicodedata.normalize("NFKC", username.strip())
    if not SHORTEST <= len(name) <= LONGEST:
        raise ValueError(f"A username must have {SHORTEST} to {LONGEST} characters.")
    if not name[0].isalnum() or not all(_may_be_in_a_name(character) for character in name):
        raise ValueError(
            "A username may have only letters, digits and . _ - + @, and must begin with a letter or a digit."
        )
    scripts = {_script(character) for character in name if character not in _MARKS} - _OF_ANY_SCRIPT
    if len(scripts) > 1 and not any(scripts <= together for together in _TOGETHER):
        raise ValueError("A username must be written in one script: letters of several look like other names.")
    return name


def key(username: str) -> str:
    """The same for all spellings of a name. It never raises; a name that is not valid has a key that no account has."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", username.strip()).casefold())


def _may_be_in_a_name(character: str) -> bool:
    """Whether it is a letter, a mark that some scripts write on letters, a digit, or one of `. _ - + @`."""
    category = unicodedata.category(character)
    is_seen = character not in _UNSEEN and category != "Me"
    return character in _MARKS or (is_seen and (category[0] in "LM" or category == "Nd"))


def _script(character: str) -> str:
    """The script of a letter or digit: the word with which its name begins, as in "CYRILLIC SMALL LETTER A"."""
    return unicodedata.name(character, "UNKNOWN").removeprefix("EXTENDED ").partition(" ")[0].removesuffix("-INDIC")

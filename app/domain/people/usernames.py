"""Valid usernames, and which of them are the same.

A name is normalized (NFKC). It has letters and digits of any script, and `. _ - + @`, and begins with a letter or a
digit. Names that differ only in upper and lower case are the same name.

Nobody takes a name that looks like another one: it has no characters that are not seen, and its letters are of one
script, or of scripts that are written together (Japanese, Chinese and Korean, each with Latin). Nobody at all takes a
name that looks like one of those who run the house: with digits or letters of another script, accents or marks.
"""

import re
import unicodedata
from typing import Final

from app.domain.people.people import Role

SHORTEST: Final = 2
"""A name of two characters is wide: as short as many Chinese, Japanese and Korean names are. Of others it has three."""
_NARROWEST: Final = 3
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

_OF_THE_HOUSE: Final = (*Role, "administrator", "moderator", "root", "support", "usher")
# What IPA, Cyrillic, Greek, Armenian, Coptic, Cherokee and Lisu have that looks like a Latin letter, small or capital.
_LOOKS_LIKE: Final = {
    "a": "\u0251\u0430\u03b1\u2c81\u13aa\ua4ee",
    "b": "\u0432\u03b2\u13fc\ua4d0",
    "c": "\u0441\u03f2\u2ca5\u13df\ua4da",
    "d": "\u0501\u03b4\u2c87\u13a0\ua4d3",
    "e": "\u0435\u03b5\u2c89\u13ac\ua4f0",
    "f": "\u03dd\ua4dd",
    "g": "\u050d\u0581\u13c0\ua4d6",
    "h": "\u04bb\u043d\u0570\u13bb\ua4e7",
    "i": "\u0456\u04cf\u03b9\u2c93\u13a5\ua4f2",
    "m": "\u043c\u2c99\u13b7\ua4df",
    "n": "\u043f\u03b7\u0578\u057c\u2c9b\ua4e0",
    "o": "\u043e\u03bf\u03c3\u0585\u2c9f\ua4f3",
    "p": "\u0440\u03c1\u2ca3\u13e2\ua4d1",
    "r": "\u0433\u13a1\u13d2\ua4e3",
    "s": "\u0455\u057f\u13da\ua4e2",
    "t": "\u0442\u03c4\u2ca7\u13a2\ua4d4",
    "u": "\u03c5\u057d\ua4f4",
    "z": "\u0437\u03b6\u2c8d\u13c3\ua4dc",
}
_LATIN: Final = {alike: letter for letter, those in _LOOKS_LIKE.items() for alike in those}
_DIGITS: Final = dict(zip("0123456789", "oizeasbtbg", strict=True)) | {"l": "i", "@": "a", "q": "g"}
_PAIRS: Final = (("rn", "m"), ("vv", "w"), ("cl", "d"))
_OTHER_LATIN: Final = re.compile(
    r"LATIN (?:SMALL LETTER|LETTER SMALL CAPITAL)(?: SCRIPT| DOTLESS)? ([A-Z])(?: WITH .*)?"
)


def normal(username: str) -> str:
    """The name as it is stored.

    Raises ValueError if it is not valid. The caller bounds its length to some hundred characters.
    """
    name = unicodedata.normalize("NFKC", username.strip())
    if len(name) > LONGEST or _width(name) < _NARROWEST:
        raise ValueError(f"A username must have {_NARROWEST} to {LONGEST} characters, or 2 wide ones.")
    if not name[0].isalnum() or not all(_may_be_in_a_name(character) for character in name):
        raise ValueError(
            "A username may have only letters, digits and . _ - + @, and must begin with a letter or a digit."
        )
    scripts = {_script(character) for character in name if character not in _MARKS} - _OF_ANY_SCRIPT
    if len(scripts) > 1 and not any(scripts <= together for together in _TOGETHER):
        raise ValueError("A username must be written in one script: letters of several look like other names.")
    if (alike := _IN_THE_HOUSE.get(_skeleton(name))) and key(name) != alike:
        raise ValueError(f"This username looks like {alike}, who runs the house. Choose another username.")
    return name


def key(username: str) -> str:
    """The same for all spellings of a name. It never raises; a name that is not valid has a key that no account has."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", username.strip()).casefold())


def _may_be_in_a_name(character: str) -> bool:
    """Whether it is a letter, a mark that some scripts write on letters, a digit, or one of `. _ - + @`."""
    category = unicodedata.category(character)
    is_seen = character not in _UNSEEN and category != "Me"
    return character in _MARKS or (is_seen and (category[0] in "LM" or category == "Nd"))


def _width(name: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in name)


def _skeleton(name: str) -> str:
    """The same for all names that look alike at a glance. It is nothing to be shown."""
    bare = "".join(map(_latin, unicodedata.normalize("NFKD", name).casefold()))
    for pair, one in _PAIRS:
        bare = bare.replace(pair, one)
    return "".join(each for character in bare if (each := _DIGITS.get(character, character)) not in _MARKS)


def _latin(character: str) -> str:
    """The Latin letter that it looks like, nothing for a mark on a letter, else what it is."""
    if character.isascii():
        return character
    if unicodedata.category(character)[0] == "M":
        return ""
    if other := _OTHER_LATIN.fullmatch(unicodedata.name(character, "")):
        return other[1].lower()
    return _LATIN.get(character, character)


_IN_THE_HOUSE: Final = {_skeleton(name): name for name in _OF_THE_HOUSE}


def _script(character: str) -> str:
    """The script of a letter or digit: the word with which its name begins, as in "CYRILLIC SMALL LETTER A"."""
    return unicodedata.name(character, "UNKNOWN").removeprefix("EXTENDED ").partition(" ")[0].removesuffix("-INDIC")

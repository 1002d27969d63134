"""Valid usernames, and which of them are the same.

A name is normalized (NFKC). It has letters and digits of any script, and `. _ - + @`, and begins with a letter or a
digit. Names that differ only in upper and lower case are the same name.
"""

import unicodedata
from typing import Final

SHORTEST: Final = 3
LONGEST: Final = 64
_MARKS: Final = frozenset("._-+@")


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
    return name


def key(username: str) -> str:
    """The same for all spellings of a name. It never raises; a name that is not valid has a key that no account has."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", username.strip()).casefold())


def _may_be_in_a_name(character: str) -> bool:
    """Whether it is a letter, a mark that some scripts write on letters, a digit, or one of `. _ - + @`."""
    return character in _MARKS or unicodedata.category(character)[0] in "LM" or unicodedata.category(character) == "Nd"

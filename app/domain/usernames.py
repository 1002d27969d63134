"""What a username may be, and when two are the same one.

A name is written as NFKC writes it: letters and digits of any script, and `. _ - + @`, beginning with a letter or a
digit. Two names that differ in case only are the same name.
"""

import unicodedata
from typing import Final

SHORTEST: Final = 3
LONGEST: Final = 64
_MARKS: Final = frozenset("._-+@")


def normal(username: str) -> str:
    """The name as it is kept. Raises ValueError when it is none; give it no more than a few hundred characters."""
    name = unicodedata.normalize("NFKC", username.strip())
    if not SHORTEST <= len(name) <= LONGEST:
        raise ValueError(f"A username must have {SHORTEST} to {LONGEST} characters.")
    if not name[0].isalnum() or not all(_may_be_in_a_name(character) for character in name):
        raise ValueError(
            "A username may have only letters, digits and . _ - + @, and must begin with a letter or a digit."
        )
    return name


def key(username: str) -> str:
    """The same for every way to write the same name. What is no name has a key that nobody has."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", username.strip()).casefold())


def _may_be_in_a_name(character: str) -> bool:
    """Letters, the marks that some scripts write on them, and digits; no sign that cannot be seen."""
    return character in _MARKS or unicodedata.category(character)[0] in "LM" or unicodedata.category(character) == "Nd"

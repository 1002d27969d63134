"""Names as people write them: one line of text, in any script (Unicode 15, chapters 4 and 23; UAX 15)."""

import unicodedata
from typing import Final

_FORBIDDEN: Final = frozenset(("Cc", "Cs", "Co", "Zl", "Zp"))
"""Controls, surrogates, private use, and what ends a line or a paragraph."""
_OVERRIDES: Final = frozenset("\u202d\u202e")
"""They show text in another order than it has."""
_INVISIBLE: Final = frozenset(("Cf", "Zs", "Mn", "Me"))


def one_line(text: str) -> str:
    """The text in normal form C, if it is one line that a person can see.

    Joiners, no-break and ideographic spaces, soft hyphens and marks of direction belong to names.

    Raises:
        ValueError: it has control characters, line breaks, or nothing to be seen.
    """
    if text.isascii():
        if not text.isprintable():
            raise ValueError("This must be one line, without control characters.")
        return text
    for character in text:
        category = unicodedata.category(character)
        if category in _FORBIDDEN or character in _OVERRIDES or _is_noncharacter(character):
            raise ValueError("This must be one line, without control characters.")
    if all(unicodedata.category(character) in _INVISIBLE for character in text):
        raise ValueError("This must have a character that can be seen.")
    return unicodedata.normalize("NFC", text)


def same(text: str) -> str:
    """What two spellings of a text have in common: its normal form C."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _is_noncharacter(character: str) -> bool:
    """The code points that Unicode will never give a meaning."""
    point = ord(character)
    return point & 0xFFFE == 0xFFFE or 0xFDD0 <= point <= 0xFDEF

"""The codes of transfers: whoever has one may accept. They can be read aloud, tell their screening, and nobody guesses
one: `7-8F3M-K0QD-...`, the screening's number and 140 bits, in Crockford's base 32.
"""

from hashlib import blake2b
from typing import Final, NamedTuple

SECRET_LETTERS: Final = 28
LONGEST: Final = 100
"""Nobody has reason to write a code with more characters, hyphens and all."""

_LETTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUES: Final = {letter: value for value, letter in enumerate(_LETTERS)} | {"O": 0, "I": 1, "L": 1}
_BITS: Final = SECRET_LETTERS * 5
_LARGEST_BIGINT: Final = 2**63 - 1
_GROUP: Final = 4


class TransferCode(NamedTuple):
    """What a code says: its screening, and a secret of 140 bits."""

    screening_id: int
    secret: int

    def __str__(self) -> str:
        secret = _written(self.secret).rjust(SECRET_LETTERS, "0")
        groups = (secret[start : start + _GROUP] for start in range(0, SECRET_LETTERS, _GROUP))
        return "-".join((_written(self.screening_id), *groups))

    @property
    def hash(self) -> bytes:
        """What is stored of it."""
        return blake2b(str(self).encode(), digest_size=32, person=b"usher transfer").digest()


def code_from(digest: bytes, screening_id: int) -> TransferCode:
    """The code of a screening with the first 140 bits of a digest as its secret."""
    return TransferCode(screening_id, int.from_bytes(digest) >> (len(digest) * 8 - _BITS))


def read_code(text: str) -> TransferCode | None:
    """A code as somebody writes it: with hyphens or without, in either case. None: it is none."""
    letters = text.replace("-", "").upper()
    if len(text) > LONGEST or len(letters) <= SECRET_LETTERS or not _VALUES.keys() >= set(letters):
        return None
    screening_id = _value(letters[:-SECRET_LETTERS])
    if not 0 < screening_id <= _LARGEST_BIGINT:
        return None
    return TransferCode(screening_id, _value(letters[-SECRET_LETTERS:]))


def _value(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * len(_LETTERS) + _VALUES[letter]
    return number


def _written(number: int) -> str:
    letters = ""
    while number:
        number, value = divmod(number, len(_LETTERS))
        letters = _LETTERS[value] + letters
    return letters

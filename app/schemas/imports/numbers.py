"""Seat numbers as people write them: `12`, `12bis`, `1A`."""

import re
from typing import Final

_WITH_SUFFIX: Final = re.compile(r"(\d{1,6})[\s./-]?[^\W\d_]{1,8}")


def leading_number(written: str) -> int | None:
    """The number in front of a suffix, or a plain one of at most six digits; None if there is none."""
    if written.isascii() and written.isdecimal():
        return int(written) if len(written) < 7 else None
    found = _WITH_SUFFIX.fullmatch(written)
    return None if found is None else int(found[1])

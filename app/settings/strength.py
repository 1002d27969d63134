"""What a secret must be: random, not only long."""

import base64
import hashlib
import re
from functools import partial
from itertools import pairwise
from typing import Final

# Words of placeholders and examples that people forget to replace. The hexadecimal one is from FastAPI's tutorial.
_WELL_KNOWN: Final = re.compile(
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7|changeme|change|replace|insecure|default|example"
    "|password|passwd|secret|token|string|random|generate|production|development|openssl|characters|chars|minimum"
    "|least|bytes|bits|bit|usher|jwt|key|dev|prod|test|super|very|long|must|this|that|with|your|here|please|value|hs256"
    "|keep|safe|not|for|the|use|lorem|ipsum|dolor|amet|consectetur|in|at|me|my|is|be|to|a|1234567890|0123456789|123456789|12345678|256|32|abc123|qwerty"
)


# What fingers run along: the rows of keyboards of several countries and habits, how they interlock, the alphabet.
_RUNS: Final = (
    "qwertzuiop yxcvbnm azertyuiop qsdfghjklm wxcvbn 01234567890 abcdefghijklmnopqrstuvwxyz pyfgcrl aoeuidhtns"
    " qjkxbmwvz qwfpgjluy arstdhneio zxcvbkm \u0439\u0446\u0443\u043a\u0435\u043d\u0433\u0448\u0449\u0437\u0445\u044a"
    " \u0444\u044b\u0432\u0430\u043f\u0440\u043e\u043b\u0434\u0436\u044d"
    " \u044f\u0447\u0441\u043c\u0438\u0442\u044c\u0431\u044e"
)
_KEYS: Final = ("1234567890-=", "qwertyuiop[]", "asdfghjkl;'", "zxcvbnm,./")
"""A key touches two of the row below: the one under it, and the one to the left of that."""
_UNSHIFTED: Final = str.maketrans('!@#$%^&*()_+{}|:"<>?', "1234567890-=[]\\;',./")
_NEIGHBOURS: Final = frozenset(
    pair
    for one, other in (
        *(pair for run in (*_RUNS.split(), *_KEYS) for pair in pairwise(run)),
        *(
            pair
            for row, below in pairwise(_KEYS)
            for pair in (*zip(row, below, strict=False), *zip(row[1:], below, strict=False))
        ),
    )
    for pair in (one + other, other + one)
)


def without_runs(text: str) -> str:
    """The text without what is, for four characters or more, the order of a keyboard or of the alphabet."""
    runs = [""]
    for character in text:
        if runs[-1] and (runs[-1][-1] + character).translate(_UNSHIFTED) in _NEIGHBOURS:
            runs[-1] += character
        else:
            runs.append(character)
    return "".join(run for run in runs if len(run) < 4)


_HASHES: Final = frozenset(
    hashing(word.encode()).hexdigest()
    for word in (*_WELL_KNOWN.pattern.split("|"), "", "123456", "admin")
    for hashing in (hashlib.md5, hashlib.sha1, hashlib.sha256)
)
"""Of words that everybody knows: they only look random."""


def strong(secret: str) -> str:
    """The secret, if it looks random.

    Raises:
        ValueError: it is too short, repeats itself, is text in another coding, or has little besides well-known words
            and the order of a keyboard.
    """
    how = "make one with: openssl rand -hex 32"
    if len(secret.encode()) < 32:
        raise ValueError(f"at least 32 bytes, this one has {len(secret.encode())}; {how}")
    repeats = any(secret.startswith(secret[period:]) for period in range(1, len(secret) // 2 + 1))
    is_other_text = _is_encoded_text(secret) or secret.lower() in _HASHES
    if repeats or is_other_text or len(set(secret)) < 8 or _is_in_order(secret.lower()):
        raise ValueError(
            f"a random value, this one has well-known words, repeats itself or follows the keyboard; {how}"
        )
    return secret


def _is_in_order(text: str) -> bool:
    """Whether little is left of it without well-known words, or next to nothing without the order of a keyboard.

    It is read in several ways: as it is, each character once, every second one first.
    """
    bare = re.sub(r"[\W_]", "", text)
    once = "".join(one for one, before in zip(bare, f" {bare}", strict=False) if one != before)
    wordless = re.sub(r"[\W_]", "", without_runs(_WELL_KNOWN.sub(" ", text)))
    readings = text, bare, once, bare[::2] + " " + bare[1::2]
    orderless = [re.sub(r"[\W_]", "", without_runs(each)) for each in readings]
    return len(wordless) < 16 or len(set(wordless)) < 6 or any(len(left) < 12 for left in orderless)


def _is_encoded_text(secret: str) -> bool:
    """Is it text, written in hexadecimal digits or base64? No 16 random bytes are."""
    for decode in (bytes.fromhex, partial(base64.b64decode, validate=True)):
        try:
            if decode(secret).decode("ascii").isprintable():
                return True
        except ValueError:
            continue
    return False

"""Forms, for the one call that takes them besides JSON. They are read as strictly."""

import re
from functools import lru_cache
from typing import Final
from urllib.parse import parse_qsl

from app.schemas.format.faults import UnsupportedMediaType, mistake

FORM: Final = "application/x-www-form-urlencoded"
MOST_FIELDS: Final = 20
_UTF_8: Final = re.compile(r"\s*charset\s*=\s*(?:utf-?8|\"utf-?8\")\s*", re.IGNORECASE | re.ASCII)
_BROKEN_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")


@lru_cache(maxsize=256)
def is_form(content_type: bytes) -> bool:
    """Whether this Content-Type is that of a form. A charset, if there is one, must be UTF-8."""
    kind, *parameters = content_type.decode("latin-1").split(";")
    if kind.strip().lower() != FORM:
        return False
    return all(_UTF_8.fullmatch(one) for one in parameters if "charset" in one.lower())


def parse(body: bytes, content_encoding: bytes | None) -> dict[str, str]:
    """The fields of the form by name.

    Raises:
        Malformed: it is not a form in UTF-8, has too many fields, or has one twice.
        UnsupportedMediaType: it is compressed.
    """
    if content_encoding is not None and content_encoding.lower() != b"identity":
        raise UnsupportedMediaType("Compressed bodies are not supported. Send the body without Content-Encoding.")
    if _BROKEN_ESCAPE.search(body):
        raise mistake(["body"], "percent_encoding", "A percent sign must be followed by two hexadecimal digits.")
    try:
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=MOST_FIELDS
        )
    except ValueError:
        raise mistake(
            ["body"], "form_invalid", f"This is not a form in UTF-8 with at most {MOST_FIELDS} fields."
        ) from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise mistake(["body"], "duplicate_key", "A field is there more than once.")
    if any("\x00" in name or "\x00" in value for name, value in pairs):
        raise mistake(["body"], "string_nul", "A field contains a NUL character. Remove it.")
    return fields

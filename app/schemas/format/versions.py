"""JSON about something that changes just now: it is written around its version, which is handed out last."""

from typing import Any, Final

import orjson

# No JSON has this byte in it: strings have it escaped.
_HERE: Final = orjson.Fragment(b"\0")


def around_version(out: dict[str, Any]) -> tuple[bytes, bytes]:
    """What comes before the value of `version` in the JSON of `out`, wherever that stands, and what comes after it.

    `out` is used up: it is nobody else's.
    """
    out["version"] = _HERE
    head, _, tail = orjson.dumps(out).partition(b"\0")
    return head, tail

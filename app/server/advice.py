"""What to do about a server that cannot be reached or says no: for `usher doctor`, and for a start that ends."""

import socket
from collections.abc import Iterator
from typing import Final

_BY_STATE: Final = {
    "28P01": "The password in the URL is not this user's. Set it anew: ALTER ROLE ... PASSWORD '...'",
    "28000": "The server lets nobody in by this name from here: look at pg_hba.conf, and at sslmode in the URL",
    "3D000": "Make it: createdb --template=template0 --encoding=UTF8, or correct the name in the URL",
    "42501": "Grant the role of the URL what it lacks: docs/servers.md",
    "53300": "Fewer workers or a smaller DATABASE_POOL_SIZE, a higher max_connections, or a pooler: docs/scale.md",
    "57P03": "It is starting or stopping. Wait a moment, and try again",
}
"""By PostgreSQL's own codes (its documentation, appendix A)."""

_SAID_BY_REDIS: Final = (
    (("WRONGPASS", "NOAUTH", "invalid username-password", "without any password", "Authentication required"),
     "Correct the user and the password in the URL"),
    (("NOPERM",), "Grant this user what it lacks: docs/servers.md"),
    (("LOADING",), "It is starting. Wait a moment, and try again"),
    (("DB index is out of range",), "The number at the end of the URL is larger than the server's `databases` allows"),
)  # fmt: skip


def reason_in_a_line(error: BaseException) -> str:
    """What a connection, a driver or the database has to say, without what SQLAlchemy puts around it."""
    cause = getattr(error, "orig", None) or error
    lines = str(cause).splitlines()
    return lines[0] if lines else "it does not answer in time (timeout)"


def advice(error: BaseException) -> str:
    """What to do about it, in a sentence without its full stop; empty if nobody knows."""
    for cause in _causes(error):
        if found := _BY_STATE.get(str(getattr(cause, "sqlstate", None))):
            return found
        if found := next((what for words, what in _SAID_BY_REDIS if any(word in str(cause) for word in words)), None):
            return found
        if isinstance(cause, socket.gaierror):
            return "The host of the URL is not known here. Is its name right, and can this machine look names up?"
        if isinstance(cause, FileNotFoundError):
            return (
                "No socket is there. Is the server running (Usher's own: make run), and is the URL's directory right?"
            )
        if isinstance(cause, ConnectionRefusedError) or "Connect call failed" in str(cause):
            return "Nobody listens there. Is the server running, and are host and port of the URL right?"
        if isinstance(cause, TimeoutError):
            return "Nobody answers. Are host and port of the URL right, and does a firewall let it through?"
    return ""


def with_advice(error: BaseException) -> str:
    """The reason and what to do about it, in a line."""
    reason = reason_in_a_line(error)
    return f"{reason.rstrip('.?! ')}. {what}" if (what := advice(error)) else reason


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error, what it is about, and what led to it."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        cause = waiting.pop(0)
        if cause is not None and id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            waiting += [getattr(cause, "orig", None), cause.__cause__, cause.__context__]

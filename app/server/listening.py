"""The address that Usher listens on, and how its worker processes share it."""

import contextlib
import socket
from collections.abc import Iterator
from typing import Any, cast

from app.adapters.embedded.process import ON_LINUX


@contextlib.contextmanager
def bound(host: str, port: int) -> Iterator[socket.socket]:
    """A socket at this address, which is nobody else's; it does not listen yet.

    Raises OSError: socket.gaierror when there is no such host, PermissionError when the port is for root only.
    """
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.set_inheritable(True)
        yield listener


def for_workers(listener: socket.socket) -> socket.socket:
    """What to give to several workers: each gets a socket of its own, and Linux deals the connections out to them.

    From one socket for all, whoever wakes first takes all that came at once (*measured*: 58 connections of 64), works
    alone on them, and the other waits for work. Elsewhere than on Linux that is still how it is: the system would give
    all connections to one of several sockets.

    A worker that dies takes along the connections that it had not looked at yet; their callers connect again.
    """
    if not ON_LINUX:
        return listener
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # after bind: the address was to be ours alone
    return cast("socket.socket", _OfItsOwn(listener))


class _OfItsOwn:
    """Travels to another process as an address, and arrives there as a socket bound to it."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener

    def __reduce__(self) -> tuple[Any, ...]:
        return _bind_too, (self._listener.family, self._listener.getsockname())


def _bind_too(family: socket.AddressFamily, address: Any) -> socket.socket:
    one_more = socket.socket(family)
    one_more.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one_more.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    one_more.bind(address)
    return one_more

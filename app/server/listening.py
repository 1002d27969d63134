"""The socket that Usher listens on, and how its worker processes share it."""

import contextlib
import socket
from collections.abc import Iterator
from typing import Any, cast

from app.adapters.embedded.process import ON_LINUX


@contextlib.contextmanager
def bound(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that is bound to this address; it does not listen yet.

    Raises:
        socket.gaierror: there is no such host.
        PermissionError: the port is reserved for root.
        OSError: the address is in use, or not one of this machine.
    """
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.set_inheritable(True)
        yield listener


def for_workers(listener: socket.socket) -> socket.socket:
    """What to pass to several workers: each gets a socket of its own (SO_REUSEPORT), and Linux balances connections.

    With one socket for all, the worker that wakes first accepts everything that is waiting (*measured*: 58 connections
    of 64), and the others stay idle. It is still so on other systems: they would give all connections to one of
    several sockets.

    When a worker dies, the connections that it had not accepted yet are lost; their clients must connect again.
    """
    if not ON_LINUX:
        return listener
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # after bind: the address was to be ours alone
    return cast("socket.socket", _OfItsOwn(listener))


class _OfItsOwn:
    """Pickled as an address, unpickled in the worker as a socket that is bound to it."""

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

"""Several workers share an address, and nobody else may."""

import pickle
import select
import socket
from contextlib import ExitStack

import pytest

from app.adapters.embedded.process import ON_LINUX
from app.server.listening import bound, for_workers

pytestmark = pytest.mark.skipif(not ON_LINUX, reason="only Linux deals connections out")


def listening_worker(shared: socket.socket, stack: ExitStack) -> socket.socket:
    """What a worker makes of what it was given, on its way into another process."""
    own: socket.socket = stack.enter_context(pickle.loads(pickle.dumps(shared)))  # noqa: S301 - our own
    own.listen(128)
    return own


def accept(workers: list[socket.socket], total: int, stack: ExitStack) -> list[int]:
    """Accept so many connections. Returns how many came to each worker."""
    shares = [0] * len(workers)
    while sum(shares) < total:
        for ready in select.select(workers, [], [])[0]:
            stack.enter_context(ready.accept()[0])
            shares[workers.index(ready)] += 1
    return shares


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_connections_are_dealt_out_to_all_workers(host: str) -> None:
    with ExitStack() as stack:
        try:
            listener = stack.enter_context(bound(host, 0))
        except OSError:
            assert host == "::1"  # a machine without IPv6
            return
        shared = for_workers(listener)
        workers = [listening_worker(shared, stack) for _ in range(2)]
        for _ in range(100):
            stack.enter_context(socket.create_connection(listener.getsockname()[:2]))

        shares = accept(workers, 100, stack)

    assert min(shares) > 20  # by chance once in a billion times


def test_an_address_with_workers_is_taken_for_everybody_else() -> None:
    with ExitStack() as stack:
        listener = stack.enter_context(bound("127.0.0.1", 0))
        listening_worker(for_workers(listener), stack)

        with pytest.raises(OSError, match="in use"):
            stack.enter_context(bound("127.0.0.1", listener.getsockname()[1]))

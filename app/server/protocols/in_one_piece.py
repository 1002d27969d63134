"""The transport of an HTTP connection, as the protocol and uvicorn's cycles write to it."""

from asyncio import AbstractEventLoop, Transport
from collections.abc import Callable
from typing import Any


class InOnePiece:
    """A transport that sends the headers of a response together with its body, which uvicorn writes one by one.

    That saves a system call and a packet. Headers that are not followed by a body at once are sent alone. `written` is
    how many bytes were written in all; `hang_up` closes the connection after the last of them.
    """

    __slots__ = ("_call_soon", "_hang_up", "_head", "_is_done", "_transport", "_write", "written")

    def __init__(
        self, transport: Transport, loop: AbstractEventLoop, hang_up: Callable[[], None] | None = None
    ) -> None:
        self._transport = transport
        self._write = transport.write
        self._call_soon = loop.call_soon
        self._hang_up = hang_up or transport.close
        self._head = b""
        self._is_done = False
        self.written = 0

    def write(self, data: bytes) -> None:
        """As asyncio.Transport.write."""
        self.written += len(data)
        if self._head:
            data, self._head = self._head + data, b""
        elif data.startswith(b"HTTP/1.1 "):
            self._head = data
            self._call_soon(self.flush)
            return
        self._write(data)

    def write_whole(self, data: bytes) -> None:
        """Send a whole response at once."""
        self.written += len(data)
        if self._head:
            data, self._head = self._head + data, b""
        self._write(data)

    def flush(self) -> None:
        """Send what is held back."""
        if self._head and not self._transport.is_closing():
            head, self._head = self._head, b""
            self._write(head)

    def close(self) -> None:
        """As asyncio.Transport.close."""
        if not self._is_done:
            self.flush()
            self._is_done = True
            self._hang_up()

    def is_closing(self) -> bool:
        """As asyncio.Transport.is_closing: nothing more is to be written."""
        return self._is_done or self._transport.is_closing()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

"""An HTTP request as the edge has read it, for dependencies and routes."""

import re
from collections.abc import AsyncGenerator
from hashlib import blake2b
from random import getrandbits
from typing import Any, Final, cast

import orjson
from starlette.requests import Request
from starlette.types import Receive, Scope

from app.domain.people.people import KeyScope
from app.resources import Resources
from app.schemas.format import forms, portions, strict
from app.schemas.format.faults import Malformed, UnsupportedMediaType

_UNREAD: Final = object()
_HASHED_AT_ONCE: Final = 2047
"""Bytes. For more, hashlib gives the interpreter up and takes it back before anybody else has woken up, again and
again: the event loop waits to the end.
"""
_REQUEST_ID: Final = re.compile(rb"[\x21-\x7e]{1,128}")


def request_id(sent: bytes | None) -> str:
    """The id of a request: the caller's own, if it is 1 to 128 visible ASCII characters; else a new one."""
    if sent is not None and _REQUEST_ID.fullmatch(sent):
        return sent.decode()
    return f"{getrandbits(128):032x}"  # nobody gains anything by guessing it


class ApiRequest(Request):
    """A request, with what every operation needs.

    `headers_once` has each header's last value by its lower-case name; `path` is the canonical path, whatever alias was
    used; `raw_body` is the body, read before the operation starts; `needs` is the scope that an API key must have for
    the operation (None: no API key is allowed); `user_id` is whose token came with it, once that was looked at;
    `resources` is what this process has open.
    """

    def __init__(self, scope: Scope, receive: Receive) -> None:
        super().__init__(scope, receive)
        self.request_id = ""
        self.resources: Resources = scope["app"].state.resources
        self.headers_once: dict[bytes, bytes] = dict(scope["headers"])
        self.raw_body = b""
        self.needs: KeyScope | None = None
        self.user_id: int | None = None
        self.set_aside: list[Any] = []
        """Large values that were made of the body: they are freed in a thread when the answer is sent."""
        self._content: Any = _UNREAD
        self._wrong: Malformed | UnsupportedMediaType | None = None
        self._fingerprint: bytes | None = None

    @property
    def path(self) -> str:
        """The path under /api/v1, whichever base path was used."""
        return cast("str", self.scope["path"])

    @property
    def client_address(self) -> str:
        """The address of the client, by the headers of trusted proxies only (`TRUSTED_PROXIES`)."""
        return self.resources.proxies.client_of(self.scope.get("client"), self.scope["headers"])

    async def body(self) -> bytes:
        """The body, which the edge has read."""
        return self.raw_body

    async def json(self) -> Any:
        """As `content`."""
        return self.content()

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """The body, in one piece."""
        yield self.raw_body

    def content(self) -> Any:
        """The JSON value of the body, None when there is none. Raises UnsupportedMediaType or Malformed."""
        if self._wrong is not None:
            raise self._wrong
        if self._content is _UNREAD:
            self._content = self._parsed() if self.raw_body else None
        return self._content

    @property
    def is_large(self) -> bool:
        """Whether the body is read beside the event loop."""
        return len(self.raw_body) > strict.LARGE

    def read_large(self) -> None:
        """Read a large body, for whoever asks for its content or its fingerprint later. To be called in a thread."""
        try:
            self.content()
        except (Malformed, UnsupportedMediaType) as wrong:
            self._wrong = wrong
            return
        if b"idempotency-key" in self.headers_once:
            self._fingerprint = self.fingerprint()

    def take_large(self) -> list[Any]:
        """The large values that were made of the body: nobody needs them any more."""
        taken, self.set_aside = [*self.set_aside, self._content], []
        self._content = _UNREAD
        return taken

    def take_form(self) -> None:
        """Take the body for a form: its fields are the content. Raises UnsupportedMediaType or Malformed."""
        headers = self.headers_once
        self._content = forms.parse(self.raw_body, headers.get(b"content-encoding"))
        self.raw_body = orjson.dumps(self._content)
        others = [(name, value) for name, value in self.scope["headers"] if name != b"content-type"]
        self.scope["headers"] = [*others, (b"content-type", b"application/json")]
        headers[b"content-type"] = b"application/json"

    def fingerprint(self) -> bytes:
        """32 bytes over method, canonical path and content.

        Aliases, white space and the order of members make no difference, nor do capitals in a `booking_id`.
        """
        if self._fingerprint is not None:
            return self._fingerprint
        said = self.content()
        if isinstance(said, dict) and isinstance(booking_id := said.get("booking_id"), str):
            said = {**said, "booking_id": booking_id.lower()}
        begun = f"{self.method} {self.path}\n".encode()
        if not self.is_large:
            return blake2b(begun + orjson.dumps(said, option=orjson.OPT_SORT_KEYS), digest_size=32).digest()
        hashed = blake2b(begun, digest_size=32)
        for portion in portions.dump(said):
            for at in range(0, len(portion), _HASHED_AT_ONCE):
                hashed.update(portion[at : at + _HASHED_AT_ONCE])
        return hashed.digest()

    def repeats(self, header: bytes) -> bool:
        """Whether this header was sent more than once."""
        if len(self.headers_once) == len(self.scope["headers"]):
            return False
        return [name for name, _ in self.scope["headers"]].count(header) > 1

    def _parsed(self) -> Any:
        headers = self.headers_once
        strict.must_be_json(headers.get(b"content-type"), headers.get(b"content-encoding"))
        return strict.parse(self.raw_body)

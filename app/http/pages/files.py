"""The files of `app/web` as answers: hashed into one version, compressed once, cached by browsers for good.

A page names its files under `/assets/<version>/...`. The version is a hash over all of them, so a file's address
changes with any change, and what a browser has under an address is what it should have.
"""

import gzip
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from app.http.pages.joined import joined
from app.http.replies import ALWAYS_ASKED, KEPT_FOR_A_YEAR, Header, Reply, matches, unchanged
from app.http.request import ApiRequest

WEB: Final = files("app") / "web"

_MEDIA_TYPES: Final = {
    ".js": b"text/javascript; charset=utf-8",
    ".ts": b"text/plain; charset=utf-8",
    ".css": b"text/css; charset=utf-8",
    ".svg": b"image/svg+xml",
}
JOINED: Final = "modules/joined.js"
"""All modules of the pages in one file. It is made here; each module can be had by itself, too."""

_FOLDERS: Final = ("", "modules", "modules/page", "modules/seats", "modules/buying", "modules/bookings", "words")
_NOT_OURS: Final = ("docs.js",)
_VARIES: Final[Header] = (b"vary", b"accept-encoding")


@dataclass(frozen=True, slots=True)
class WebFile:
    """A file's bytes, as they are and compressed, and its ETag."""

    plain: bytes
    packed: bytes
    etag: bytes
    media_type: bytes

    def reply(
        self, request: ApiRequest, *, kept: bytes = ALWAYS_ASKED, status: int = 200, headers: tuple[Header, ...] = ()
    ) -> Reply:
        """The file, compressed if the client understands that; 304 if it has it."""
        if status == 200 and matches(self.etag, request.headers_once.get(b"if-none-match")):
            return unchanged(self.etag, kept)
        packed = b"gzip" in request.headers_once.get(b"accept-encoding", b"") and len(self.packed) < len(self.plain)
        sent: list[Header] = [(b"etag", self.etag), _VARIES, *headers]
        if packed:
            sent.append((b"content-encoding", b"gzip"))
        return Reply(
            self.packed if packed else self.plain, status, headers=sent, media_type=self.media_type, cache=kept
        )


def web_file(content: bytes, media_type: bytes) -> WebFile:
    """A file of this content, with a weak ETag, because its bytes depend on the encoding."""
    etag = b'W/"%s"' % blake2b(content, digest_size=16).hexdigest().encode()
    return WebFile(content, gzip.compress(content, 9, mtime=0), etag, media_type)


@cache
def assets() -> dict[str, WebFile]:
    """Every file under `/assets`, by its path in `app/web`."""
    found: dict[str, WebFile] = {}
    for folder in _FOLDERS:
        for entry in sorted((WEB / folder if folder else WEB).iterdir(), key=lambda each: each.name):
            media_type = _MEDIA_TYPES.get(_suffix(entry))
            if media_type and entry.name not in _NOT_OURS:
                found[f"{folder}/{entry.name}".removeprefix("/")] = web_file(entry.read_bytes(), media_type)
    modules = {path: each.plain.decode() for path, each in found.items() if path.endswith(".js")}
    found[JOINED] = web_file(joined(modules, "modules/main.js").encode(), _MEDIA_TYPES[".js"])
    return found


@cache
def version() -> str:
    """A hash over all files under `/assets`."""
    names = b"\n".join(name.encode() + each.etag for name, each in assets().items())
    return blake2b(names, digest_size=8).hexdigest()


def asset(request: ApiRequest, path: str, wanted: str | None) -> Reply | None:
    """A file under `/assets`, None if there is none; kept for good only under the version that it belongs to."""
    found = assets().get(path)
    if found is None:
        return None
    return found.reply(request, kept=KEPT_FOR_A_YEAR if wanted == version() else ALWAYS_ASKED)


def _suffix(entry: Traversable) -> str:
    return entry.name[entry.name.rfind(".") :]

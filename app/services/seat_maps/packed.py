"""Bytes that are sent to many, plain or packed: each is made once, and kept beside the other."""

import asyncio
import zlib
from typing import Final

LEAST: Final = 1_024
"""Fewer bytes are not worth packing."""

_AT_ONCE: Final = 64 * 1024
"""So many bytes are packed in a millisecond. More of them are packed in a thread, and others are served meanwhile."""

_GZIP: Final = 16 + zlib.MAX_WBITS
_LEVEL: Final = 1
"""The quickest."""


class Packed:
    """Some bytes that never change, plain and, once somebody asks, packed."""

    def __init__(self, plain: bytes) -> None:
        self.plain = plain
        self._gzip: asyncio.Future[bytes] | None = None

    @property
    def is_worth_it(self) -> bool:
        """Are there enough of them?"""
        return len(self.plain) >= LEAST

    async def gzip(self) -> bytes:
        """The same bytes as gzip. Callers at the same time share the work."""
        if self._gzip is None:
            if len(self.plain) <= _AT_ONCE:
                self._gzip = asyncio.get_running_loop().create_future()
                self._gzip.set_result(_gzip(self.plain))
            else:
                self._gzip = asyncio.ensure_future(asyncio.to_thread(_gzip, self.plain))
        return await asyncio.shield(self._gzip)


def _gzip(plain: bytes) -> bytes:
    packer = zlib.compressobj(_LEVEL, wbits=_GZIP)
    return packer.compress(plain) + packer.flush()

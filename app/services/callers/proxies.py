"""Who a client is behind proxies. `X-Forwarded-For`, or `Forwarded`, is believed only from a trusted proxy."""

import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final

log = logging.getLogger(__name__)

Network = IPv4Network | IPv6Network
Header = tuple[bytes, bytes]

MOST_HOPS: Final = 32
"""The last so many are looked at: nobody has more proxies of their own."""

_FORWARDED_FOR: Final = b"x-forwarded-for"
_FORWARDED: Final = b"forwarded"
# As proxies write them: 1.2.3.4:5678, [2001:db8::1]:5678 and [2001:db8::1]. A bare 2001:db8::1 has no port.
_WITH_PORT: Final = re.compile(r"\[(?P<six>[^\]]+)\](?::\d{1,5})?|(?P<four>\d+\.\d+\.\d+\.\d+):\d{1,5}", re.ASCII)
_FOR: Final = re.compile(r"(?:^|[;\s])for\s*=\s*(?:\"([^\"]*)\"|([^;\s]*))", re.IGNORECASE)


class Proxies:
    """One per process. `trusted` are those whose word about their clients counts (TRUSTED_PROXIES)."""

    def __init__(self, trusted: Sequence[Network]) -> None:
        self._trusted = trusted
        self._has_warned = False

    def client_of(self, peer: Any, headers: Iterable[Header]) -> str:
        """The address of the client: the last one in the chain of proxies that is not a trusted proxy.

        `peer` is an ASGI scope's client: a (host, port), or None for a Unix socket, which only a proxy on this machine
        uses. A header may come in several lines: together they are one list (RFC 9110). If proxies send both headers,
        `X-Forwarded-For` counts. An IPv6 client counts as its /64, which is one household.
        """
        address = _address(peer[0]) if peer else None
        if peer and (address is None or not self._is_trusted(address)):
            if not self._has_warned and address is not None:
                self._warn_of(address, headers)
            return _counted(address) if address else str(peer[0])
        for hop in _hops(headers):
            believed = _address(hop)
            if believed is None:
                break
            address = believed
            if not self._is_trusted(believed):
                break
        return _counted(address) if address else "local"

    def connection_of(self, peer: Any) -> str | None:
        """What a connection counts as; None for a trusted proxy and for a Unix socket, which only a proxy uses."""
        address = _address(peer[0]) if peer else None
        return None if address is None or self._is_trusted(address) else _counted(address)

    def is_direct(self, peer: Any, headers: Iterable[Header], among: Sequence[Network]) -> bool:
        """Does the request come straight from one of these networks? What a proxy passes on does not."""
        address = _address(peer[0]) if peer else None
        is_forwarded = any(name in (_FORWARDED_FOR, _FORWARDED) for name, _ in headers)
        return address is not None and not is_forwarded and any(address in network for network in among)

    def _is_trusted(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._trusted)

    def _warn_of(self, address: IPv4Address | IPv6Address, headers: Iterable[Header]) -> None:
        """Say once that somebody forwards requests and is not trusted: all of their clients count as one."""
        if any(name in (_FORWARDED_FOR, _FORWARDED) for name, _ in headers):
            self._has_warned = True
            log.warning(
                "%s forwards requests and is not in TRUSTED_PROXIES: all of its clients share one rate limit. "
                "If it is your proxy, set TRUSTED_PROXIES=%s",
                address,
                address,
            )


def _hops(headers: Iterable[Header]) -> Iterator[str]:
    """Who has sent the request on, the last one first."""
    lines = [(name, value.decode("latin-1")) for name, value in headers if name in (_FORWARDED_FOR, _FORWARDED)]
    written = ",".join(value for name, value in lines if name == _FORWARDED_FOR)
    if written:
        hops = [hop.strip() for hop in written.split(",")]
    else:
        elements = ",".join(value for _, value in lines).split(",")
        hops = [(found[1] or found[2] or "") if (found := _FOR.search(each)) else "" for each in elements]
    return reversed(hops[-MOST_HOPS:])


def _address(text: str) -> IPv4Address | IPv6Address | None:
    if (found := _WITH_PORT.fullmatch(text)) is not None:
        text = found["six"] or found["four"]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _counted(address: IPv4Address | IPv6Address) -> str:
    return str(address) if isinstance(address, IPv4Address) else str(ip_network((address, 64), strict=False))

"""The address of the client. `X-Forwarded-For` is only used if it comes from a trusted proxy (TRUSTED_PROXIES)."""

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from starlette.types import Scope

Network = IPv4Network | IPv6Network


def address_of(scope: Scope, headers: Mapping[bytes, bytes], trusted: Sequence[Network]) -> str:
    """The address of the client of an ASGI scope. `headers` are by lower-case name."""
    return client_address(scope.get("client"), headers.get(b"x-forwarded-for"), trusted)


def client_address(peer: Any, forwarded: bytes | None, trusted: Sequence[Network]) -> str:
    """The address of the client: the last one in the chain that is not a trusted proxy.

    `peer` is the ASGI scope's client: a (host, port), or None for a Unix socket, which only a proxy on this machine
    uses. An IPv6 client counts as its /64, which is one household.
    """
    address = _address(peer[0]) if peer else None
    if peer and (address is None or not _is_trusted(address, trusted)):
        return _counted(address) if address else str(peer[0])
    for hop in reversed((forwarded or b"").decode("latin-1").split(",")):
        believed = _address(hop.strip())
        if believed is None:
            break
        address = believed
        if not _is_trusted(believed, trusted):
            break
    return _counted(address) if address else "local"


def peer_address(peer: Any, trusted: Sequence[Network]) -> str | None:
    """What a connection counts as; None for a trusted proxy and for a Unix socket, which only a proxy uses."""
    address = _address(peer[0]) if peer else None
    return None if address is None or _is_trusted(address, trusted) else _counted(address)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _is_trusted(address: IPv4Address | IPv6Address, trusted: Sequence[Network]) -> bool:
    return any(address in network for network in trusted)


def _counted(address: IPv4Address | IPv6Address) -> str:
    return str(address) if isinstance(address, IPv4Address) else str(ip_network((address, 64), strict=False))

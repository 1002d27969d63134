"""The addresses of callers without an account, as the office counts them: nobody can read them from what is stored."""

from hashlib import blake2b
from ipaddress import ip_network

from app.domain.box_office.addresses import Address


class Addresses:
    """One per process; all processes have the same secret."""

    def __init__(self, secret: str, allowed: int) -> None:
        """`allowed`: how many seats of a screening may be held and unpaid from one address at a time."""
        self._key = blake2b(secret.encode(), digest_size=32, person=b"usher address").digest()
        self._allowed = allowed

    def of(self, client_address: str) -> Address:
        """From an IPv4 address, an IPv6 network (/64), or another name of where the caller is."""
        return Address(self._hash(client_address), self._hash(_network_of(client_address)), self._allowed)

    def _hash(self, name: str) -> bytes:
        return blake2b(name.encode(), digest_size=16, key=self._key).digest()


def _network_of(client_address: str) -> str:
    try:
        network = ip_network(client_address)
    except ValueError:
        return client_address
    return str(network.supernet(new_prefix=24 if network.version == 4 else 56))

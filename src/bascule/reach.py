"""Which addresses the hub may connect to on somebody's word: the address of a site is typed in.

Asked about the address that is really connected to, so neither a name that resolves elsewhere the
second time nor another way of writing a number gets around it.
"""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from socket import inet_aton

Address = IPv4Address | IPv6Address
MayConnect = Callable[[Address], bool]

# A cloud's machines ask these who they are, and get credentials in return. (169.254.169.254, which
# most clouds use, is link-local and refused with those.)
_METADATA = {
    ip_address("100.100.100.200"),  # Alibaba
    ip_address("168.63.129.16"),  # Azure
    ip_address("192.0.0.192"),  # Oracle
    ip_address("fd00:ec2::254"),  # Amazon
    ip_address("fd00:42::42"),  # Scaleway
    ip_address("fd20:ce::254"),  # Google
}
_METADATA_NAMES = {"metadata.google.internal", "metadata.goog", "metadata"}
_NAT64 = ip_network("64:ff9b::/96")


def may_connect(*, private_networks: bool, loopback: bool) -> MayConnect:
    """Public addresses always; private ones and this machine by its two switches; never what is
    link-local, a cloud's metadata, or no address of one machine.
    """

    def allowed(address: Address) -> bool:
        address = _meant(address)
        if address.is_link_local or address in _METADATA:
            return False
        if address.is_loopback:
            return loopback
        if address.is_multicast or address.is_unspecified or address.is_reserved:
            return False
        if isinstance(address, IPv4Address) and address.packed[0] == 0:
            return False  # "this network": Linux takes it for this machine
        own = isinstance(address, IPv6Address) and address.is_site_local
        return private_networks or (address.is_global and not own)

    return allowed


def is_refused(host: str, allowed: MayConnect) -> bool:
    """Whether this host can be told to be out of reach without looking its name up."""
    host = host.rstrip(".")
    if host.lower() in _METADATA_NAMES:
        return True
    try:
        # As the system reads it: 2130706433, 0x7f.1 and 0177.0.0.1 are 127.0.0.1.
        address: Address = IPv4Address(inet_aton(host))
    except (OSError, ValueError):
        try:
            address = ip_address(host.partition("%")[0])
        except ValueError:
            return False
    return not allowed(address)


def _meant(address: Address) -> Address:
    """The IPv4 address that an IPv6 one only wraps."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped or address.sixtofour:
        return address.ipv4_mapped or address.sixtofour or address
    if address.teredo:
        return address.teredo[1]
    if address in _NAT64 or (int(address) >> 32 == 0 and int(address) > 1):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address

"""A site's address as people paste it, made into the one form that is stored."""

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

from bascule.reach import MayConnect, is_refused

_HOST = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*\.?")
_DESK = {"app", "desk", "login", "api", "me", "apps"}  # pages that people copy the address of


def site_address(pasted: str, *, allow_http: bool, may_connect: MayConnect) -> str:
    """`https://host[:port]`. ValueError, in words for the person who typed it, when it is no
    address of a site, a plain one that is not on loopback while `allow_http` is off, or one that
    `may_connect` refuses; where a name leads is asked when it is connected to.
    """
    address = pasted.strip()
    if not address:
        raise ValueError("is empty; it looks like https://erp.yourcompany.com")
    if "://" not in address:
        address = f"{_assumed_scheme(address)}://{address}"
    try:
        parts = urlsplit(address)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        raise ValueError("is not an address; it looks like https://erp.yourcompany.com") from None
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"starts with {parts.scheme[:20]}://; a site's begins with https://")
    if parts.username is not None or parts.password is not None:
        raise ValueError("has a user name or password in it; give the API key and secret instead")
    is_ipv6 = ":" in host
    host = host if is_ipv6 else _ascii(host)
    if port == 0 or not (_is_ip(host) if is_ipv6 else len(host) <= 253 and _HOST.fullmatch(host)):
        raise ValueError("has no usable host name; it looks like https://erp.yourcompany.com")
    folder = parts.path.strip("/").split("/")[0]
    if folder and folder not in _DESK:
        raise ValueError("goes on after the host name; give only https://erp.yourcompany.com")
    if parts.scheme == "http" and not (allow_http or is_loopback(host)):
        raise ValueError(
            "is plain HTTP, which shows the API secret to everyone on the way; use https://, "
            "or allow plain HTTP for this connection if the network is yours"
        )
    if is_refused(host, may_connect):
        raise ValueError("is not one that this hub may connect to; see docs/settings.md")
    shown = f"[{host}]" if is_ipv6 else host
    return f"{parts.scheme}://{shown}" + (f":{port}" if port is not None else "")


def _assumed_scheme(address: str) -> str:
    """A site on this machine is mostly served without TLS, and no other one should be."""
    try:
        return "http" if is_loopback(urlsplit(f"//{address}").hostname or "") else "https"
    except ValueError:
        return "https"


def is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    return _is_ip(host) and ip_address(host).is_loopback


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _ascii(host: str) -> str:
    try:
        return host.encode("idna").decode("ascii") if not host.isascii() else host
    except UnicodeError:
        raise ValueError("has a host name that cannot exist") from None

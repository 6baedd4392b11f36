"""The address of a site: checked, and brought into one form.

Knows nothing of what is asked there.
"""

from ipaddress import ip_address
from urllib.parse import urlsplit

_DESK = ("/api", "/app", "/desk")  # ends of addresses that people copy from their browser


def site_url(address: str, *, allow_http: bool = False) -> str:
    """`scheme://host[:port][/folder]`, without a slash at the end.

    ValueError, without repeating the address, for one that is not a site's: other schemes, user
    names, queries and fragments, and plain HTTP to another machine while `allow_http` is off.
    """
    try:
        parts = urlsplit(address.strip())
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError("The site's address cannot be read as a URL.") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("The site's address must begin with https:// and name a host.")
    if "@" in parts.netloc:
        raise ValueError("The site's address must not hold a user name or a password.")
    if parts.query or parts.fragment or set(" \t\r\n\\") & set(parts.netloc + parts.path):
        raise ValueError("The site's address must be a host name and no more.")
    if parts.scheme == "http" and not allow_http and not is_loopback(host):
        raise ValueError(
            "Plain HTTP would show the API secret to everyone on the way: use https://, or allow "
            "plain HTTP where the network is yours."
        )
    folder = parts.path.rstrip("/")
    for end in _DESK:
        folder = folder.removesuffix(end).rstrip("/")
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}{f':{port}' if port is not None else ''}{folder}"


def is_loopback(host: str) -> bool:
    """Whether the host is this machine by its very name: 127.0.0.0/8, ::1, localhost and below."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False

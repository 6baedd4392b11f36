"""Where a request comes from: its address, its page, and where a person may be sent on to."""

from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from bascule.errors import Forbidden
from bascule.settings import Settings


def address_of(connection: HTTPConnection, settings: Settings) -> str:
    """The address that asked. What a header says counts only behind a proxy that is trusted, and
    then the last one that no such proxy has.
    """
    peer = connection.client.host if connection.client else ""
    said = connection.headers.getlist("x-forwarded-for")
    hops = [hop.strip() for header in said for hop in header.split(",")]
    while hops and _is_trusted(peer, settings):
        peer = _without_port(hops.pop())
    return peer[:100]


def network_of(address: str) -> str:
    """What one subscriber has: whoever has one IPv6 address has the 2^64 that begin as it does."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if found.version == 4:
        return address
    mapped = found.ipv4_mapped
    return str(mapped) if mapped else str(ip_network((found, 64), strict=False))


def is_https(connection: HTTPConnection, settings: Settings) -> bool:
    """Whether the browser speaks HTTPS: to us, or to a proxy before us, one that is trusted or that
    people reach at BASCULE_PUBLIC_URL.
    """
    public = urlsplit(settings.public_url or "")
    if public.scheme == "https" and connection.url.netloc.lower() == public.netloc.lower():
        return True
    peer = connection.client.host if connection.client else ""
    said = connection.headers.get("x-forwarded-proto")
    if said is not None and _is_trusted(peer, settings):
        return said.strip().lower() == "https"
    return connection.url.scheme == "https"


def refuse_cross_site(connection: HTTPConnection, settings: Settings) -> None:
    """Forbidden where a browser says that another site's page makes this request."""
    fetch_site = connection.headers.get("sec-fetch-site", "none")
    origin = connection.headers.get("origin")
    ours = {connection.headers.get("host", "").lower()}
    if settings.public_url:
        ours.add(urlsplit(settings.public_url).netloc.lower())
    foreign = origin is not None and urlsplit(origin).netloc.lower() not in ours
    if foreign or fetch_site not in ("same-origin", "none"):
        raise Forbidden(
            "This was asked by a page of another site.",
            next_step="Do it on the hub's own pages; behind a proxy that changes the Host header, "
            "set BASCULE_PUBLIC_URL to the address in the browser.",
        )


def public_url(connection: HTTPConnection, settings: Settings) -> str:
    """The address that people reach the hub at, without a slash at its end."""
    if settings.public_url:
        return settings.public_url.rstrip("/")
    scheme = "https" if is_https(connection, settings) else "http"
    return f"{scheme}://{connection.url.netloc}"


def local_path(wanted: str | None) -> str:
    """A path of ours to go to after signing in; whatever leads elsewhere becomes the start page."""
    if not wanted or not wanted.startswith("/") or wanted[1:2] in ("/", "\\"):
        return "/"
    if any(ord(character) < 0x21 or character == "\\" for character in wanted):
        return "/"  # browsers drop tabs and newlines, and read \ as /
    return wanted


def _without_port(hop: str) -> str:
    """Some proxies write 192.0.2.7:51234 or [2001:db8::7]:51234."""
    host, colon, port = hop.rpartition(":")
    if colon and port.isdecimal() and (host.count(":") == 0 or host.endswith("]")):
        hop = host
    return hop.removeprefix("[").removesuffix("]")


def _is_trusted(peer: str, settings: Settings) -> bool:
    try:
        address = ip_address(peer)
    except ValueError:
        return False
    return any(address in network for network in settings.proxies)

"""Where a browser is sent to at a sign-in."""

from urllib.parse import urlsplit

from tests.kit.api import send


def sent_on(url: str) -> str:
    """Where another server sends who comes there."""
    return send(url, "GET", None, {}).headers["location"]


def path_of(url: str) -> str:
    at = urlsplit(url)
    return f"{at.path}?{at.query}" if at.query else at.path

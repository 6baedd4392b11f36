"""From what the HTTP library raises to the error that it amounts to, in words of ours alone.

The library's own exceptions hold the request with its headers, so nothing of them is kept.
"""

import os
import ssl

import aiohttp

from bascule.frappe.errors import (
    AddressRefused,
    FrappeError,
    NotAFrappeSite,
    SiteDown,
    Timeout,
    TLSFailure,
)

FAILURES = (aiohttp.ClientError, TimeoutError, OSError, ValueError)

_NO_TLS_THERE = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST")
_TOO_LONG = "Got more than"  # aiohttp's, of a header or its first line


class AddressNotAllowed(OSError):
    """Whoever uses this client does not let it connect to that address."""

    def __init__(self) -> None:
        super().__init__("not allowed")


def failure(error: Exception, *, connecting: float, in_all: float) -> FrappeError:
    """`connecting`, `in_all`: the seconds that were allowed."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return Timeout(
            f"The site's host did not take a connection within {connecting:g} seconds.",
            next_step="Check the address, and whether a firewall stands between.",
            undone=True,
        )
    if isinstance(error, TimeoutError):
        return Timeout(
            f"The site did not answer within {in_all:g} seconds.",
            next_step="Try again when the site is less busy, or ask for less at once.",
        )
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError | ssl.CertificateError):
        return _untrusted(error)
    if isinstance(error, aiohttp.ClientConnectorError):
        return _nothing_there(error)
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientPayloadError | OSError):
        return SiteDown(
            "The site closed the connection before its answer was complete.",
            next_step="Try again in a few minutes; if it stays, look at the site's logs.",
        )
    if isinstance(error, aiohttp.ClientResponseError) and _TOO_LONG in error.message:
        return NotAFrappeSite(
            "The site's answer has a header that is longer than the hub reads (256 KB).",
            next_step="Look at what the proxy before the site adds to its answers.",
        )
    return NotAFrappeSite(
        "What answers at this address does not speak HTTP as a Frappe site does.",
        next_step="Check the address and the port.",
    )


def _untrusted(error: Exception) -> TLSFailure:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        reason = getattr(error.certificate_error, "verify_message", "") or "it cannot be verified"
        reason = reason.rstrip(".")
        return TLSFailure(
            f"The site's certificate is not trusted: {reason}.",
            next_step="Renew the certificate, or give the bundle of the CA that signed it.",
        )
    reason = getattr(getattr(error, "os_error", error), "reason", None)
    if reason in _NO_TLS_THERE:
        return TLSFailure(
            "No secure connection: this port speaks no TLS.",
            next_step="Check the port; if the site is served without TLS, and the network is "
            "yours, write its address with http://.",
        )
    return TLSFailure(
        f"No secure connection: {reason or 'the handshake failed'}.",
        next_step="Check the port, and the TLS settings of the site's web server.",
    )


def _nothing_there(error: aiohttp.ClientConnectorError) -> FrappeError:
    if isinstance(error.os_error, AddressNotAllowed):
        return AddressRefused(
            "The site's host name stands for an address that may not be connected to.",
            next_step="Check the address; who runs this hub decides which networks it may reach.",
        )
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return SiteDown(
            "The site's host name is not known.",
            next_step="Check the address for a slip, and this machine's network.",
            undone=True,
        )
    number = error.os_error.errno
    why = os.strerror(number).lower() if number else "no connection"
    return SiteDown(
        f"Nothing answers at the site's address: {why}.",
        next_step="Check that the site is running, and its address and port.",
        undone=True,
    )

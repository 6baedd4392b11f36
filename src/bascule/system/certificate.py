"""The TLS certificate of the public address, and when it expires."""

import asyncio
import logging
import ssl
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit

from cryptography import x509

from bascule.hub import Hub

log = logging.getLogger(__name__)
PATIENCE = 3.0  # seconds until the address has to answer
KEPT = 3600.0  # seconds; one that could not be read is fetched again after a minute
KEPT_FAILURE = 60.0


@dataclass(frozen=True, slots=True)
class Certificate:
    """`ends_at` is None where it could not be read; `error` then says why."""

    host: str
    ends_at: datetime | None
    error: str | None = None

    @property
    def days_left(self) -> int | None:
        return (self.ends_at - datetime.now(UTC)).days if self.ends_at else None


@dataclass
class Looked:
    """One a process: the last certificate seen, and the fetch that is running."""

    found: Certificate | None = None
    until: float = float("-inf")
    task: "asyncio.Task[None] | None" = field(default=None, repr=False)


async def certificate_of(hub: Hub) -> Certificate | None:
    """None where the public address is not https.

    Waits about `PATIENCE` seconds at most, and only while no certificate was seen yet.
    """
    parts = urlsplit(hub.settings.public_url or "")
    if parts.scheme != "https" or not parts.hostname:
        return None
    looked: Looked = hub.shared.setdefault(Looked, Looked())
    if time.monotonic() > looked.until and (looked.task is None or looked.task.done()):
        looked.task = asyncio.create_task(_look(looked, parts.hostname, parts.port or 443))
    if looked.found is None and looked.task is not None:
        await asyncio.wait({looked.task}, timeout=PATIENCE + 0.5)
    return looked.found or Certificate(parts.hostname, None, "It does not answer.")


async def _look(looked: Looked, host: str, port: int) -> None:
    looked.found = await read_certificate(host, port)
    kept = KEPT if looked.found.ends_at else KEPT_FAILURE
    looked.until = time.monotonic() + kept


async def read_certificate(host: str, port: int) -> Certificate:
    """The certificate that is served, whether a browser would trust it or not."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        async with asyncio.timeout(PATIENCE):
            _, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=host)
            try:
                given = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            finally:
                writer.transport.abort()
        ends_at = x509.load_der_x509_certificate(given).not_valid_after_utc
    except TimeoutError:
        return Certificate(host, None, "It does not answer.")
    except (OSError, ValueError, TypeError) as error:
        log.debug("No certificate from %s: %s", host, error)
        return Certificate(host, None, f"It cannot be read: {type(error).__name__}.")
    return Certificate(host, ends_at)

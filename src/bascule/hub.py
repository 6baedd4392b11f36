"""Everything that a hub has open: its settings, database, vault and queue.

What is done with it is the rooms'.
"""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from bascule.frappe import FrappeError, Response
from bascule.frappe.request_observer import OBSERVER, Observed
from bascule.jobs import Jobs
from bascule.settings import Settings, get_settings
from bascule.store import Database, open_database
from bascule.store.vault import Vault, load_vault
from bascule.telemetry import count, span


@dataclass(frozen=True, slots=True)
class Hub:
    settings: Settings
    db: Database
    vault: Vault
    jobs: Jobs
    # What rooms keep one of in a process, by its type; and how it is closed: before the database.
    shared: dict[type, Any] = field(default_factory=dict)
    closing: AsyncExitStack = field(default_factory=AsyncExitStack)


@contextmanager
def _observed(method: str, path: str) -> Iterator[Observed]:
    """Each request to a site is counted, and traced where somebody traces."""
    started = time.perf_counter()
    told = {"http.request.method": method, "url.path": path}
    with span(f"site {method}", client=True, **told) as noted:

        def ended(outcome: Response | FrappeError) -> None:
            status = (
                str(outcome.status) if isinstance(outcome, Response) else type(outcome).__name__
            )
            seconds = time.perf_counter() - started
            count("site_requests", method=method, status=status)
            count("site_request_seconds", seconds, method=method)
            if isinstance(outcome, Response):
                noted.attributes["http.response.status_code"] = outcome.status
            if not isinstance(outcome, Response) or outcome.status >= 400:
                noted.error = status
                count("errors", where="site", kind=status)

        yield ended


OBSERVER.set(_observed)


@asynccontextmanager
async def open_hub(settings: Settings | None = None) -> AsyncIterator[Hub]:
    """Opened in order, closed in the other. StoreError: the database or the data folder."""
    settings = settings or get_settings()
    db = await open_database(settings)
    try:
        vault = load_vault(settings)
        jobs = Jobs(db)
        await jobs.open()
        hub = Hub(settings, db, vault, jobs)
        async with hub.closing:
            yield hub
    finally:
        await db.close()

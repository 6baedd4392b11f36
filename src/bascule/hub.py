"""Everything that a hub has open: its settings, database, vault and queue.

What is done with it is the rooms'.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from bascule.jobs import Jobs
from bascule.settings import Settings, get_settings
from bascule.store import Database, open_database
from bascule.store.vault import Vault, load_vault


@dataclass(frozen=True, slots=True)
class Hub:
    settings: Settings
    db: Database
    vault: Vault
    jobs: Jobs
    # What rooms keep one of in a process, by its type; and how it is closed: before the database.
    shared: dict[type, Any] = field(default_factory=dict)
    closing: AsyncExitStack = field(default_factory=AsyncExitStack)


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

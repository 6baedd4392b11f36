"""Workers over the test's database."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bascule.hub import Hub
from tests.jobs.crew import Workers


@pytest.fixture
async def workers(
    hub: Hub, database_url: str, tmp_path: Path, kills: None
) -> AsyncIterator[Workers]:
    async with hub.db.connection() as connection:
        await connection.execute(
            "CREATE TABLE public.traces (id bigserial, what text, key text, pid int, "
            "at timestamptz DEFAULT clock_timestamp())"
        )
    made = Workers(hub, database_url, tmp_path)
    yield made
    made.end()

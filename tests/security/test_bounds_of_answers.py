"""Answers of a site that was taken over: gigabytes of them, packed or not; more rows than asked."""

import asyncio
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bascule.mirror.runs.start import start_runs
from bascule.mirror.tables import Run

ATTEMPT = Path(__file__).parents[1] / "mirror" / "one_run.py"
MOST = 600  # MB of a process that reads 4 GB with a bound; without one it has all of them


async def apart(mirror: Any, doctype: str) -> tuple[Run, int]:
    """A sync in a process of its own, and the most memory that this had, in MB."""
    [run_id] = await start_runs(
        mirror.hub, mirror.connection, names=[doctype], kind="sync", trigger="cli"
    )
    settings = mirror.hub.settings
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(ATTEMPT), str(run_id)),
        env={
            **os.environ,
            "BASCULE_DATABASE_URL": mirror.hub.db.url,
            "BASCULE_DATA_DIR": str(settings.data_dir),
            "BASCULE_SECRET_KEY": settings.secret_key.get_secret_value(),
        },
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    return await mirror.run(run_id), int(said.split()[-1]) // 1000


# Of a loopback address nothing packed is asked for; the other leads there and is none by its name.
@pytest.mark.parametrize("host", ["127.0.0.1", "[::ffff:127.0.0.1]"], ids=["plain", "packed"])
async def test_gigabytes_are_not_read_and_fail_one_stream_alone(
    mirrored: Callable[..., Any], erpnext_sandbox_factory: Any, host: str
) -> None:
    site = erpnext_sandbox_factory(None)
    named = replace(site, url=site.url.replace("127.0.0.1", host))
    mirror = await mirrored(site=named, allow_http=True)
    site.faults.add("bomb", doctype="Customer", path="get_list")
    run, peak = await apart(mirror, "Customer")
    assert run.outcome == "failed"
    assert "The site's answer to 'read Customer' is larger than the" in str(run.error)
    assert "Look at what the site gives there" in str(run.next_step)
    assert peak < MOST
    [other] = await mirror.sync("Supplier")
    assert other.outcome == "done", other.error
    site.faults.clear()
    [run] = await mirror.sync("Customer")
    assert run.outcome == "done", run.error
    assert await mirror.rows("customer", "name") == await mirror.site_rows("Customer", "name")


@pytest.mark.parametrize(
    ("kind", "said", "step"),
    [
        ("wrong_encoding", "which the hub did not ask for", "heed Accept-Encoding"),
        ("more_rows_than_asked", "rows of Customer where", "limit_page_length"),
    ],
)
async def test_an_answer_that_was_not_asked_for_fails_one_stream_alone(
    mirrored: Callable[..., Any], kind: str, said: str, step: str
) -> None:
    mirror = await mirrored()
    mirror.site.faults.add(kind, doctype="Customer")
    customers, suppliers = await mirror.sync("Customer", "Supplier")
    assert (customers.outcome, suppliers.outcome) == ("failed", "done")
    assert said in customers.error
    assert step in customers.next_step
    assert customers.rows_read == 0

"""One running demo site for the tests of this room that leave no trace in it but faults."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from bascule.sandbox import Running
from bascule.sandbox.company import demo_company


@pytest.fixture(scope="package")
def shared_site() -> Iterator[Any]:
    from bascule.sandbox.server import SandboxThread

    with SandboxThread(demo_company(1, date(2026, 11, 20))) as running:
        yield running


@pytest.fixture
def site(shared_site: Running) -> Iterator[Any]:
    yield shared_site
    shared_site.faults.clear()

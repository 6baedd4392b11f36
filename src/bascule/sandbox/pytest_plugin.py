"""`def test_x(erpnext_sandbox)`: a running ERPNext of one's own, for any project with bascule.

Everything is imported when a test asks for it, so that other test runs pay nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from bascule.sandbox.core.snapshot import Snapshot
    from bascule.sandbox.server import Running


@pytest.fixture(scope="session")
def erpnext_snapshot() -> Snapshot:
    """The demo company, made once a session; every sandbox works on a copy of its own."""
    from bascule.sandbox.company import demo_company  # noqa: PLC0415 - costs nothing until used

    return demo_company()


@pytest.fixture
def erpnext_sandbox_factory(erpnext_snapshot: Snapshot) -> Iterator[Callable[..., Running]]:
    """Starts as many sites as a test calls for, each with its own documents.

    `erpnext_sandbox_factory()` holds the demo company, `erpnext_sandbox_factory(snapshot)` another.
    """
    from bascule.sandbox.server import SandboxThread  # noqa: PLC0415 - costs nothing until used

    with ExitStack() as sites:

        def start(snapshot: Snapshot | None = None) -> Running:
            return sites.enter_context(SandboxThread(snapshot or erpnext_snapshot))

        yield start


@pytest.fixture
def erpnext_sandbox(erpnext_sandbox_factory: Callable[..., Running]) -> Running:
    """A running site of the demo company: `.url`, `.api_key`, `.api_secret`, `.users`, `.faults`"""
    return erpnext_sandbox_factory()

"""A hub with a worker for all tests of this folder; each makes connectors of its own in it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.kit import connecting
from tests.kit.api import Api
from tests.kit.hub import hub_fixture
from tests.kit.waiting import until

running_hub = hub_fixture("session")


@pytest.fixture
def connect(api: Api, erpnext_sandbox: Any) -> Iterator[Callable[..., Any]]:
    """Connects the sandbox, under a name of its own, and takes it away again."""
    made: list[str] = []

    def setup(**values: Any) -> Any:
        new = connecting.connect(api, erpnext_sandbox, **values)
        made.append(new["id"])
        return new

    yield setup
    for connector in made:
        assert api.delete(f"/api/connectors/{connector}").status in (200, 404)


@pytest.fixture
def finished(api: Api) -> Callable[[list[int]], list[Any]]:
    """Waits for runs to end."""

    def wait(run_ids: list[int]) -> list[Any]:
        def ended() -> list[Any] | None:
            runs = [api.get(f"/api/runs/{number}").json for number in run_ids]
            return runs if all(run["outcome"] in ("done", "failed") for run in runs) else None

        return until(ended, patience=120)

    return wait

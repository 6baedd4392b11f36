"""A demo site, and clients that are not ours in processes and environments of their own."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from bascule.sandbox import Running, SandboxThread, demo_company

HERE = Path(__file__).parent
TODAY = date(2026, 11, 20)


def program(client: str, name: str) -> str:
    found = HERE / ".tools" / client / "bin" / name
    if not found.exists():
        pytest.skip(f"NOT TESTED: {client} is not in tests/clients/.tools (make clients)")
    return str(found)


@pytest.fixture(scope="module")
def site() -> Iterator[Running]:
    with SandboxThread(demo_company(1, TODAY)) as running:
        yield running


@pytest.fixture(scope="module")
def site_16() -> Iterator[Running]:
    with SandboxThread(demo_company(1, TODAY, major=16)) as running:
        yield running


class Talk:
    """A client that is told what to call and says what came of it, a line each."""

    def __init__(self, client: str, environment: dict[str, str]) -> None:
        script = HERE / f"talk_{client.replace('-', '_')}.py"
        self._process = subprocess.Popen(
            [program(client, "python"), str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )

    def told(self, name: str, /, **given: Any) -> dict[str, Any]:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps([name, given]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the client ended with {self._process.wait()}"
        return json.loads(line)

    def call(self, name: str, /, **given: Any) -> Any:
        told = self.told(name, **given)
        assert "error" not in told, told
        return told["result"]

    def close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait(timeout=30)


@pytest.fixture(scope="module")
def talk() -> Iterator[Callable[..., Talk]]:
    """`talk("frappe-client", URL=..., ...)` starts that client with those variables."""
    with ExitStack() as stack:

        def start(client: str, **environment: str) -> Talk:
            started = Talk(client, environment)
            stack.callback(started.close)
            return started

        yield start

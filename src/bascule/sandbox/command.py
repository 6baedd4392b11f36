"""`bascule sandbox`: serves a site until it is told to stop, and says how to reach it."""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from bascule.sandbox.company import demo_company
from bascule.sandbox.core.snapshot import Snapshot
from bascule.sandbox.core.versions import FIFTEEN, MAJORS
from bascule.sandbox.faults import KINDS
from bascule.sandbox.folder import load_folder
from bascule.sandbox.server import Sandbox

if TYPE_CHECKING:
    from bascule.sandbox.server import Running


def run_sandbox(
    port: int = 0,
    host: str = "127.0.0.1",
    from_dir: Path | None = None,
    seed: int = 1,
    faults: Sequence[str] = (),
    *,
    as_json: bool = False,
    today: date | None = None,
    others: Sequence[int] = (),
    version: int | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM. Port 0 lets the system choose; `faults` are as `--fault`s.
    `others`: ports to try where that one is taken. `version` is ERPNext's; else a folder's
    definitions tell it, and the demo company has the oldest.

    ValueError when a fault cannot be read, OSError when the port is taken or the folder missing.
    """
    if version is not None and version not in MAJORS:
        known = " or ".join(map(str, MAJORS))
        raise ValueError(f"The sandbox knows versions {known} of ERPNext, not {version}.")
    if from_dir:
        snapshot = load_folder(from_dir, version)
    else:
        snapshot = demo_company(seed, today, major=version or FIFTEEN)
    told = _tell_json if as_json else _tell
    asyncio.run(_serve(snapshot, host, (port, *others), faults, told))


async def _serve(
    snapshot: Snapshot,
    host: str,
    ports: Sequence[int],
    faults: Sequence[str],
    told: Callable[["Running", Snapshot], None],
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        running = await _first_free(stack, Sandbox(snapshot), host, ports)
        for fault in faults:
            running.faults.add_text(fault)
        told(running, snapshot)
        await stop.wait()


async def _first_free(
    stack: AsyncExitStack, sandbox: Sandbox, host: str, ports: Sequence[int]
) -> "Running":
    for port in ports[:-1]:
        with suppress(OSError):
            return await stack.enter_async_context(sandbox.serve(host, port))
    return await stack.enter_async_context(sandbox.serve(host, ports[-1]))


def _tell_json(running: "Running", snapshot: Snapshot) -> None:
    users = {
        label: {
            "name": user.name,
            "api_key": user.api_key,
            "api_secret": user.api_secret,
            "password": user.password,
        }
        for label, user in running.users.items()
    }
    print(json.dumps({"url": running.url, "users": users}), flush=True)


def _tell(running: "Running", snapshot: Snapshot) -> None:
    console = Console()
    count = sum(len(documents) for documents in snapshot.documents.values())
    console.print(
        f"An ERPNext {snapshot.major} with {count:,} documents answers at [bold]{running.url}[/]"
    )
    table = Table("User", "Name", "API key", "API secret", "Password")
    for label, user in running.users.items():
        table.add_row(label, user.name, user.api_key, user.api_secret, user.password)
    console.print(table)
    for fault in running.faults.rules:
        console.print(f"Fault: {fault.kind}", style="yellow")
    console.print("Stop it with Ctrl-C.", style="dim")


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m bascule.sandbox`, for machines that have no use for the rest of the hub."""
    parser = argparse.ArgumentParser(
        prog="python -m bascule.sandbox", description="An ERPNext that runs here."
    )
    parser.add_argument("--port", type=int, default=0, help="0 lets the system choose")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--from", dest="from_dir", type=Path, help="a folder of a site's documents")
    parser.add_argument("--seed", type=int, default=1, help="of the demo company")
    parser.add_argument("--version", type=int, choices=MAJORS, help="of ERPNext")
    parser.add_argument("--today", type=date.fromisoformat, help="the demo company's day")
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        help=f"for instance latency=0.2 or dropped,doctype=Item,times=3; one of {', '.join(KINDS)}",
    )
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    given = parser.parse_args(arguments)
    try:
        run_sandbox(
            given.port,
            given.host,
            given.from_dir,
            given.seed,
            given.fault,
            as_json=given.json,
            today=given.today,
            version=given.version,
        )
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0

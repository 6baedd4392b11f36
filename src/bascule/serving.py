"""The application over a socket: uvicorn, told when to stop, behind `sockets`' gate."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress

import uvicorn
from fastapi import FastAPI

from bascule.settings import Settings
from bascule.sockets import EVERY, RESERVED, Bounds, Gate, GuardedConfig

# The system finishes so many for us that we have not taken yet. asyncio takes as many at once, and
# tells of each one by a traceback where there is no file for it.
BACKLOG = 128
UNSENT = 128 * 1024  # bytes that the system holds of an answer before the network takes them
MOST_FILES = 65_536


def raise_file_limit() -> int:
    """This process may open as many files as the system lets it, within reason; how many."""
    if os.name != "posix":
        return MOST_FILES
    import resource  # noqa: PLC0415  (needs Unix)

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):  # macOS has a lower limit that it does not tell
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    return MOST_FILES if soft == resource.RLIM_INFINITY else soft


def bounds_of(settings: Settings) -> Bounds:
    """What the settings say, and no more sockets than there are files for."""
    files = max(16, raise_file_limit() - RESERVED)
    return Bounds(
        sockets=min(settings.sockets, files),
        sockets_per_address=min(settings.sockets_per_address, files),
        request_seconds=settings.request_seconds,
        stall_seconds=settings.stall_seconds,
        proxies=settings.proxies,
    )


class _Server(uvicorn.Server):
    """uvicorn, without its own idea of signals: who serves decides when to stop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _first_free(host: str, ports: Sequence[int]) -> socket.socket:
    for port in ports[:-1]:
        with suppress(OSError):
            return _listening(host, port)
    return _listening(host, ports[-1])


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named TCP, or asyncio leaves Nagle's algorithm on, and an answer may wait 40 ms for an ACK.
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # elsewhere it would let two programs take one port
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            # What is accepted has it too: what is read shows soon, and what is not stays small.
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT)
        made.bind((host, port))
        made.listen(BACKLOG)  # two that are only bound may have the same
    except OSError:
        made.close()
        raise
    return made


@asynccontextmanager
async def serving(
    app: FastAPI, host: str, *ports: int, bounds: Bounds | None = None
) -> AsyncIterator[str]:
    """Listens until the block ends; gives the address. On the first of these ports that is free; 0:
    any. OSError: all of them are taken.
    """
    listening = _first_free(host, ports)
    gate = Gate(bounds or Bounds())
    config = GuardedConfig(
        app,
        gate,
        log_config=None,
        access_log=False,
        lifespan="on",
        timeout_graceful_shutdown=10,
        backlog=BACKLOG,
        proxy_headers=False,  # uvicorn believes everybody on loopback; see accounts.origin
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listening]))
    looking = asyncio.create_task(_look_forever(gate))
    try:
        while not server.started:
            if task.done():
                await task
                raise RuntimeError("The application did not start; its log tells why.")
            await asyncio.sleep(0.01)
        shown = f"[{host}]" if ":" in host else host
        yield f"http://{shown}:{listening.getsockname()[1]}"
    finally:
        if server.started:
            await app.state.live.aclose()  # or uvicorn would wait for streams that never end
        server.should_exit = True
        await task
        looking.cancel()
        listening.close()


async def _look_forever(gate: Gate) -> None:
    while True:
        await asyncio.sleep(EVERY)
        gate.look()

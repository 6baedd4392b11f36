"""`up`, `serve`, `worker` and `sandbox`: what runs until it is told to stop."""

import asyncio
import gc
import logging
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bascule.cli.admin.rotate_key import refuse_weak_key
from bascule.cli.exit_codes import Exit, Refused
from bascule.cli.log_repeats import bound_repeats
from bascule.cli.terminal import AsJson, document, err, escape, to_stderr

if TYPE_CHECKING:
    from bascule.hub import Hub
    from bascule.settings import Settings

Host = Annotated[str | None, typer.Option(help="The address to listen on; BASCULE_HOST.")]
Port = Annotated[
    int | None, typer.Option(min=0, max=65535, help="The port; BASCULE_PORT. 0: any free one.")
]
Concurrency = Annotated[
    int | None, typer.Option(min=1, max=64, help="Jobs at a time; BASCULE_WORKER_CONCURRENCY.")
]


async def up(
    host: Host = None, port: Port = None, concurrency: Concurrency = None, as_json: AsJson = False
) -> int:
    """Run the hub: the API and a worker in one process, until Ctrl-C.

    With --json, one document tells the address as soon as it answers.
    """
    return await _run(_told(host, port, concurrency), web=True, worker=True, as_json=as_json)


async def serve(host: Host = None, port: Port = None, as_json: AsJson = False) -> int:
    """Run the API alone, until Ctrl-C; syncs want a worker somewhere."""
    return await _run(_told(host, port, None), web=True, worker=False, as_json=as_json)


async def worker(concurrency: Concurrency = None, as_json: AsJson = False) -> int:
    """Run a worker alone, until Ctrl-C; as many as wanted, on as many machines."""
    return await _run(_told(None, None, concurrency), web=False, worker=True, as_json=as_json)


def sandbox(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 lets the system choose.")] = 0,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    from_dir: Annotated[
        Path | None,
        typer.Option("--from", help="A folder of a site's documents, instead of the demo company."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the demo company.")] = 1,
    version: Annotated[
        int | None,
        typer.Option(help="15 or 16: what it answers as, unless the folder tells."),
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(help="latency=0.2, or dropped,doctype=Item,times=3; see docs/sandbox.md."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Run an ERPNext that lives in this process, to try things on, until Ctrl-C."""
    from bascule.sandbox.command import run_sandbox

    try:
        run_sandbox(port, host, from_dir, seed, fault or (), as_json=as_json, version=version)
    except OSError as error:
        if from_dir is not None and not from_dir.is_dir():
            step = "Give a folder with documents/, doctypes/ and users.json."
            raise Refused(f"There is no folder {from_dir}.", next_step=step) from error
        raise _taken(host, port) from error
    except ValueError as error:
        step = "docs/sandbox.md lists the faults and says how a folder looks."
        raise Refused(str(error), next_step=step) from error
    return Exit.DONE


def _told(host: str | None, port: int | None, concurrency: int | None) -> "Settings":
    """The settings, with what the command line says instead."""
    from bascule.settings import get_settings

    given = {"host": host, "port": port, "worker_concurrency": concurrency}
    return get_settings().model_copy(
        update={name: value for name, value in given.items() if value is not None}
    )


async def _run(settings: "Settings", *, web: bool, worker: bool, as_json: bool) -> int:
    from bascule.hub import open_hub
    from bascule.job_modules import JOB_MODULES
    from bascule.jobs import load
    from bascule.mirror.schema.readers import admit_reader_to_mirrors
    from bascule.serving import raise_file_limit
    from bascule.store.data_dir import private_files
    from bascule.store.identity import recognise
    from bascule.store.start_steps import steps_told

    log_to_stderr(settings.log_level, settings.log_format)
    raise_file_limit()
    with _tracing(settings), stopping() as stop, private_files():
        async with AsyncExitStack() as running:
            with steps_told(one_step):
                hub = await running.enter_async_context(open_hub(settings))
            load(JOB_MODULES)  # with them come those who put a restored database right
            async with hub.db.connection() as conn:
                await admit_reader_to_mirrors(conn)
                await recognise(conn)
            task = await running.enter_async_context(working(hub)) if worker else None
            url = await running.enter_async_context(listening(hub)) if web else None
            welcome = await _first_link(hub, url) if url else None
            if as_json:
                document({"url": url, "worker": worker, "welcome": welcome})
            elif url:
                _tell(url, welcome)
            if worker and not as_json:
                err.print(f"A worker does up to {settings.worker_concurrency} jobs at a time.")
            err.print("Ctrl-C stops it.", style="dim")
            await until_stopped(stop, task)
            err.print("Stopping.", style="dim")
    return Exit.DONE


def one_step(what: str) -> None:
    """Of a start that takes seconds."""
    err.print(what, style="dim")


async def _first_link(hub: "Hub", url: str) -> str | None:
    """At a first start: where the admin chooses a password, once."""
    from bascule.accounts.people.users import first_link
    from bascule.cli.admin.users import link_to

    async with hub.db.session() as session:
        found = await first_link(session)
    return link_to(hub.settings, found[1], url) if found else None


def _tell(url: str, welcome: str | None) -> None:
    err.print(f"The hub answers at [bold]{url}[/]; 'bascule token' prints a token for its API.")
    if welcome:
        err.print("Nobody can sign in yet. Choose the admin's password here; the link works once:")
        err.print(f"  [cyan]{escape(welcome)}[/]")


async def until_stopped(stop: asyncio.Event, worker: "asyncio.Task[None] | None") -> None:
    """Until somebody says stop, or the worker ends by itself, which it should not."""
    # What is there by now stays: to look through it for garbage again stops all else for 0.14 s.
    gc.freeze()
    waiting = asyncio.create_task(stop.wait())
    await asyncio.wait({waiting, *([worker] if worker else [])}, return_when="FIRST_COMPLETED")
    waiting.cancel()
    if worker is not None and worker.done():
        await worker


@asynccontextmanager
async def working(hub: "Hub") -> "AsyncIterator[asyncio.Task[None]]":
    """A worker in this process for as long as the block lasts."""
    from bascule.job_modules import JOB_MODULES
    from bascule.jobs import load, run_worker

    load(JOB_MODULES)
    until = asyncio.Event()
    task = asyncio.create_task(
        run_worker(hub, concurrency=hub.settings.worker_concurrency, until=until)
    )
    try:
        yield task
    finally:
        until.set()
        await task


@asynccontextmanager
async def listening(hub: "Hub", *others: int) -> AsyncIterator[str]:
    """The API over this hub, at the settings' address; on one of the other ports if it is taken."""
    from bascule.app import create_app
    from bascule.serving import bounds_of, serving

    settings = hub.settings
    refuse_weak_key(
        hub.vault,
        settings.host,
        public_url=settings.public_url,
        proxies=settings.trusted_proxies,
    )
    async with AsyncExitStack() as running:
        try:
            app = create_app(settings, hub=hub)
            bounds = bounds_of(settings)
            yielded = serving(app, settings.host, settings.port, *others, bounds=bounds)
            url = await running.enter_async_context(yielded)
        except OSError as error:
            raise _taken(settings.host, settings.port) from error
        yield url


@contextmanager
def stopping() -> Iterator[asyncio.Event]:
    """An event that SIGINT and SIGTERM set. A second one, when the first takes long, ends all."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    numbers: tuple[signal.Signals, ...] = (signal.SIGINT, signal.SIGTERM)

    def asked() -> None:
        if stop.is_set() and task is not None:
            task.cancel()
        stop.set()

    try:
        for number in numbers:
            loop.add_signal_handler(number, asked)
    except NotImplementedError:  # Windows: asyncio.run turns Ctrl-C into a cancellation
        numbers = ()
    try:
        yield stop
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def _taken(host: str, port: int) -> Refused:
    return Refused(
        f"Nothing can listen on {escape(host)}:{port}; it is taken, or not this machine's.",
        next_step="Stop what listens there, or choose another port with --port.",
        code=Exit.FAILED,
    )


@contextmanager
def _tracing(settings: "Settings") -> Iterator[None]:
    from bascule import __version__
    from bascule.telemetry import tracing

    try:
        begun = tracing(settings.otlp_endpoint, __version__)
        begun.__enter__()
    except ImportError as error:
        raise Refused(
            "BASCULE_OTLP_ENDPOINT is set, and OpenTelemetry is not installed.",
            next_step="Install it with pip install 'bascule[otel]', or unset the variable.",
        ) from error
    try:
        yield
    finally:
        begun.__exit__(None, None, None)


def log_to_stderr(level: str, form: str = "text") -> None:
    logging.basicConfig(level=level.upper(), handlers=[to_stderr(form)], force=True)
    bound_repeats()
    if level.upper() != "DEBUG":
        # A line for every job and every statement tells nobody anything.
        for name in ("procrastinate", "sqlalchemy", "alembic", "uvicorn", "psycopg"):
            logging.getLogger(name).setLevel(logging.WARNING)

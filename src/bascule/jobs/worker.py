"""A worker: runs queued jobs, sends heartbeats, takes over the jobs of killed workers.

Procrastinate runs the jobs. It ends when the database goes away for a moment, and leaves a killed
worker's jobs as they are; this module reconnects, and queues such jobs again.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

import psycopg
from procrastinate import App, BaseRetryStrategy, JobContext, PsycopgConnector, RetryDecision
from procrastinate.exceptions import ConnectorException, UniqueViolation
from procrastinate.jobs import Job as QueuedJob
from procrastinate.jobs import Status
from procrastinate.manager import JobManager
from psycopg_pool import PoolTimeout

from bascule.backoff import Backoff
from bascule.jobs.priorities import NEXT, Places
from bascule.jobs.processes import telling
from bascule.jobs.registry import PERIODIC, SWEEP, TASKS, Job
from bascule.store import Database
from bascule.store.identity import after_restore, recognise
from bascule.store.pool import Pool
from bascule.store.session import pin
from bascule.telemetry import about, count, span

log = logging.getLogger(__name__)

HEARTBEAT = 5.0  # seconds
STALLED = 15.0  # seconds without a heartbeat after which a worker's jobs are taken over
TAKEOVER = 5.0  # seconds between two checks for dead workers
POLL = 1.0  # seconds; for jobs that no notification announces, such as scheduled ones
CONNECTIONS = 5  # to the database, for the queue of a worker; its listener has one more
# Arguments of jobs that become fields of log lines and traces, by the field's name.
ABOUT = {"run_id": "run", "record_id": "record", "connection_id": "connection"}
RECONNECT = Backoff(0.5, longest=2.0)  # to a database that has gone away
STEADY = 60.0  # seconds at work after which the pauses start from the first again
GRACE = 5.0  # seconds that running jobs get when a worker is asked to stop
KEEP_HOURS = 24 * 7  # how long failed jobs are kept
TAKEOVER_LOCK = 0x6261_7374  # an advisory lock: one worker at a time takes over

# Procrastinate notifies workers of queued jobs, not of a lock or a place that becomes free: a job
# that waits for one would start only at the next poll.
_CALL_NEXT = """
    SELECT pg_notify('procrastinate_any_queue_v1',
                     json_build_object('type', 'job_inserted', 'job_id', id)::text)
      FROM procrastinate_jobs
     WHERE status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= now()) LIMIT 1
"""
_GONE = (psycopg.OperationalError, PoolTimeout, ConnectorException, OSError)


class HasDatabase(Protocol):
    @property
    def db(self) -> Database: ...


async def run_worker(
    hub: HasDatabase, concurrency: int = 8, until: asyncio.Event | None = None
) -> None:
    """Runs jobs until the event is set or this is cancelled; running jobs then get `GRACE` seconds.

    Unfinished jobs go back into the queue. While the database is away the worker reconnects.
    """
    until = until or asyncio.Event()
    failures = 0
    while not until.is_set():
        started = asyncio.get_running_loop().time()
        try:
            async with hub.db.connection() as conn:
                await recognise(conn)
            async with telling(hub, "worker"):
                await _work(hub, concurrency, until)
        except* _GONE as group:
            log.warning("The worker has lost the database and tries again: %s", group.exceptions[0])
        if asyncio.get_running_loop().time() - started > STEADY:
            failures = 0
        if not until.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(RECONNECT.pause(failures)):
                    await until.wait()
            failures += 1


async def _work(hub: HasDatabase, concurrency: int, until: asyncio.Event) -> None:
    """Runs Procrastinate's worker until the event, or until the database is gone."""
    # Not the hub's pool: jobs may use it up, and heartbeats must not wait for it.
    connector = PsycopgConnector(
        pool_factory=Pool,
        conninfo=hub.db.conninfo,
        configure=pin,  # its listener has a connection outside of the pool
        min_size=1,
        max_size=CONNECTIONS,
        timeout=10,
    )
    app = App(connector=connector)
    app.job_manager = jobs = OwnJobs(connector, Places(concurrency))
    _register(app)
    async with app.open_async():
        working = asyncio.create_task(
            app.run_worker_async(
                name="bascule",
                concurrency=concurrency,
                fetch_job_polling_interval=POLL,
                update_heartbeat_interval=HEARTBEAT,
                stalled_worker_timeout=STALLED,
                shutdown_graceful_timeout=GRACE,
                delete_jobs="successful",
                install_signal_handlers=False,
                additional_context={"hub": hub},
            )
        )
        stopping = asyncio.create_task(until.wait())
        taking_over = asyncio.create_task(_take_over_forever(app, connector, jobs))
        others = (stopping, taking_over)
        try:
            await asyncio.wait({working, *others}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (working, *others):
                task.cancel()
            await asyncio.gather(working, *others, return_exceptions=True)
        for task in (working, taking_over):
            if not task.cancelled() and (error := task.exception()):
                raise error


def _register(app: App) -> None:
    for name, one in TASKS.items():
        _add(app, name, one.run)
    for periodic in PERIODIC.values():
        name = periodic.task_name
        added = _add(app, name, periodic.run, ticks=True)
        app.periodic(cron=periodic.cron, lock=name, queueing_lock=name)(added)
    sweep = _add(app, SWEEP, _sweep, ticks=True)
    app.periodic(cron="7 3 * * *", queueing_lock=SWEEP)(sweep)


def _add(app: App, name: str, run: Job[...], *, ticks: bool = False) -> Any:
    @app.task(name=name, pass_context=True, retry=HandBack())
    async def job(context: JobContext, /, **arguments: Any) -> None:
        if ticks:
            arguments.pop("timestamp", None)  # Procrastinate's own, of the tick
        fields = {name: arguments[key] for key, name in ABOUT.items() if key in arguments}
        with about(**fields), span(name, **{f"bascule.{key}": fields[key] for key in fields}):
            try:
                await run(context.additional_context["hub"], **arguments)
            except Exception as error:
                count("errors", where=name, kind=type(error).__name__)
                raise

    return job


class OwnJobs(JobManager):
    """Records the outcome of a job only while this worker still owns it.

    A worker that hung (a machine that slept, a stopped process) finds its job taken over by another
    one. Procrastinate knows jobs by their id alone, so it would end the other's job too.

    An outcome that could not be recorded because the database was away is recorded later.
    Procrastinate drops it, and while its worker lives nobody takes the job over or gets its lock.
    """

    def __init__(self, connector: PsycopgConnector, places: Places) -> None:
        super().__init__(connector)
        self._places = places
        self._unsaid: list[Callable[[], Awaitable[None]]] = []

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> QueuedJob | None:
        found = await self.connector.execute_query_all_async(
            NEXT, worker_id=worker_id, **self._places.asking()
        )
        if not found:
            return None
        job = QueuedJob.from_row(found[0])
        self._places.taken.add(found[0]["id"])
        return job

    async def finish_job(self, job: QueuedJob, status: Status, delete_job: bool) -> None:
        self._places.taken.discard(job.id or 0)
        await self._say(partial(self._finish, job, status, delete_job))

    async def retry_job(self, job: QueuedJob, *args: Any, **kwargs: Any) -> None:
        if job.worker_id is not None:
            self._places.taken.discard(job.id or 0)
        await self._say(partial(self._retry, job, *args, **kwargs))

    async def say_what_is_left(self) -> None:
        """Records the outcomes that could not be recorded before."""
        unsaid, self._unsaid = self._unsaid, []
        for say in unsaid:
            await self._say(say)

    async def _say(self, say: Callable[[], Awaitable[None]]) -> None:
        try:
            await say()
        except _GONE as error:
            log.warning("What became of a job could not be said, and will be: %s", error)
            self._unsaid.append(say)

    async def _finish(self, job: QueuedJob, status: Status, delete_job: bool) -> None:
        if await self._is_ours(job):
            await super().finish_job(job, status, delete_job)
            await self.connector.execute_query_async(_CALL_NEXT)

    async def _retry(self, job: QueuedJob, *args: Any, **kwargs: Any) -> None:
        if not await self._is_ours(job):
            return
        try:
            await super().retry_job(job, *args, **kwargs)
        except UniqueViolation:
            # Another job waits under the same queueing lock and does the same work; two cannot
            # wait, and retrying that for ever would block every other job.
            await self._finish(job, Status.SUCCEEDED, delete_job=True)

    async def _is_ours(self, job: QueuedJob) -> bool:
        for now in await self.list_jobs_async(id=job.id, status=Status.DOING.value):
            if (now.worker_id, now.attempts) == (job.worker_id, job.attempts):
                return True
        log.warning("The job %s was given to another worker meanwhile.", job.call_string)
        return False


class HandBack(BaseRetryStrategy):
    """Queues a job again that was cancelled because its worker stops; a failed job stays failed."""

    def get_retry_decision(
        self, *, exception: BaseException, job: QueuedJob
    ) -> RetryDecision | None:
        if isinstance(exception, asyncio.CancelledError):
            return RetryDecision(retry_in={"seconds": 0})
        return None


async def _take_over_forever(app: App, connector: PsycopgConnector, jobs: OwnJobs) -> None:
    """Runs in every worker, outside of its places: it must not wait behind long jobs."""
    while True:
        await jobs.say_what_is_left()
        await _take_over(app, connector)
        await asyncio.sleep(TAKEOVER)


async def _take_over(app: App, connector: PsycopgConnector) -> None:
    """Queues the jobs of workers without a heartbeat again.

    One worker at a time does it, or a second would take away what the first has just queued.
    """
    async with connector.pool.connection() as connection:
        held = await connection.execute("SELECT pg_try_advisory_xact_lock(%s)", [TAKEOVER_LOCK])
        row = await held.fetchone()
        if row is None or not row[0]:
            return
        stalled = await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED)
        for job in stalled:
            log.warning("A worker died over the job %s; it is queued again.", job.call_string)
            await app.job_manager.retry_job(job)


@after_restore
async def bury_workers(conn: psycopg.AsyncConnection[Any]) -> None:
    """Marks every worker in a restored backup dead, so that its jobs are taken over at once."""
    await conn.execute("UPDATE procrastinate_workers SET last_heartbeat = 'epoch'")


async def _sweep(hub: Any) -> None:
    connector = PsycopgConnector()
    app = App(connector=connector)
    async with app.open_async(hub.db.pool):
        await app.job_manager.delete_old_jobs(
            KEEP_HOURS, include_failed=True, include_cancelled=True, include_aborted=True
        )

"""The background jobs of a hub: tasks by name, and periodic jobs by schedule.

Rooms register theirs by importing `task` and `every`; `load` imports the rooms.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from importlib import import_module
from typing import Any, Concatenate, ParamSpec

P = ParamSpec("P")
# The first argument is the hub, passed by the worker; its type is of a higher room.
Job = Callable[Concatenate[Any, P], Awaitable[None]]
Tick = Callable[[Any], Awaitable[None]]


class Work(IntEnum):
    """Classes of jobs; the numbers are priorities, and a higher one goes first (`priorities`)."""

    CLOCK = 40  # periodic, and done in a moment
    PEOPLE = 30  # an edit on its way to the site; a webhook that has arrived
    SOON = 20  # somebody waits for it, or a webhook asked for it
    RUNS = 10  # scheduled runs of the mirror
    HOUSEKEEPING = 0


@dataclass(frozen=True, slots=True)
class Task:
    run: Job[...]
    work: Work


@dataclass(frozen=True, slots=True)
class Periodic:
    name: str  # `room.what`
    cron: str
    run: Tick
    work: Work

    @property
    def task_name(self) -> str:
        """What a tick is called in the queue."""
        return stored_name(self.name)


def stored_name(name: str) -> str:
    """What the database calls the function that is registered as `room.what`.

    Version 0.1 stored the function's module, so this form stays wherever the function moves: what
    waits there is found by an upgraded hub, and by an older worker that still runs beside it.
    """
    room, dot, what = name.partition(".")
    if not dot or not room or not what or "." in what:
        raise ValueError(f"A registered function is called room.what, not {name!r}.")
    return f"bascule.{room}.jobs.{what}"


SWEEP = "jobs.sweep"  # the queue's own
TASKS: dict[str, Task] = {}
PERIODIC: dict[str, Periodic] = {}


def task(name: str, work: Work = Work.RUNS) -> Callable[[Job[P]], Job[P]]:
    """Registers a coroutine function `(hub, **arguments)`; an exception marks the job failed.

    A job can run twice: its worker may be killed after the work and before the queue knows. It is
    cancelled (CancelledError) when its worker stops, and then runs again elsewhere.
    """

    def register(run: Job[P]) -> Job[P]:
        _new(name)
        TASKS[name] = Task(run, work)
        return run

    return register


def every(cron: str, name: str, work: Work = Work.CLOCK) -> Callable[[Tick], Tick]:
    """Registers a coroutine function `(hub)` that runs at each tick (UTC), once for all workers.

    A tick that comes while the last one still runs waits for it; more than one does not pile up.
    `cron` has five fields, or six, the last for seconds. `name` is `room.what`: ticks wait in the
    database under it, so it never changes, wherever the function moves.
    """

    def register(run: Tick) -> Tick:
        stored_name(name)
        _new(name)
        PERIODIC[name] = Periodic(name, cron, run, work)
        return run

    return register


def load(modules: Iterable[str]) -> None:
    """Imports the modules that register; once is enough, twice does no harm."""
    for module in modules:
        import_module(module)


def _new(name: str) -> None:
    if name in TASKS or name in PERIODIC:
        raise ValueError(f"There is a job called {name} already.")

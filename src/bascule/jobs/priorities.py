"""Whose turn it is: what a worker takes of the queue next, and the places that it keeps free.

Procrastinate takes the oldest of the highest priority, and knows no other order. So a night's round
of hundreds of syncs would hold up an edit that somebody saves meanwhile, and one site that hangs
would hold every place. Here the classes of `Work` go one before the other; some places are for
people's work alone; and the runs of one connection hold few places at a time, in all workers
together.
"""

from typing import Any

from bascule.jobs.registry import PERIODIC, TASKS, Work

# A job's class is its task's, or the higher one that whoever queued it gave it.
KNOWN = """
    known AS (
        SELECT * FROM unnest(%(tasks)s::text[], %(classes)s::int[]) AS each (task_name, class)
    ), busy AS (
        SELECT args ->> 'connection_id' AS connection, count(*) AS places
          FROM procrastinate_jobs
         WHERE status = 'doing' AND task_name = ANY(%(runs)s) GROUP BY 1
    )
"""
# As Procrastinate's own function, whose rule of locks it keeps, but for `most`.
_COULD_BEGIN = """
          FROM procrastinate_jobs AS jobs
          LEFT JOIN known ON known.task_name = jobs.task_name
          LEFT JOIN busy ON busy.connection = jobs.args ->> 'connection_id'
               AND jobs.task_name = ANY(%(runs)s)
         WHERE jobs.status = 'todo'
           AND (jobs.scheduled_at IS NULL OR jobs.scheduled_at <= now())
           AND coalesce(busy.places, 0) < %(most)s
           AND NOT EXISTS (
                SELECT FROM procrastinate_jobs AS other
                 WHERE jobs.lock IS NOT NULL AND other.lock = jobs.lock
                   AND (other.status = 'doing'
                        OR (other.status = 'todo'
                            AND (other.priority > jobs.priority
                                 OR (other.priority = jobs.priority AND other.id < jobs.id)))))
"""
# The jobs that would begin now, if there were places for all.
READY = f"WITH {KNOWN}, ready AS (SELECT jobs.* {_COULD_BEGIN})"
NEXT = f"""
    WITH {KNOWN}, candidate AS (
        SELECT jobs.id {_COULD_BEGIN}
           AND greatest(known.class, jobs.priority) >= %(least)s
         ORDER BY greatest(known.class, jobs.priority) DESC, jobs.priority DESC, jobs.id
         LIMIT 1 FOR UPDATE OF jobs SKIP LOCKED
    )
    UPDATE procrastinate_jobs AS jobs SET status = 'doing', worker_id = %(worker_id)s
      FROM candidate WHERE jobs.id = candidate.id
    RETURNING jobs.id, status, task_name, priority, lock, queueing_lock, args, scheduled_at,
              queue_name, attempts, worker_id
"""


class Places:
    """The places of one worker. `taken` is by a job's number."""

    def __init__(self, places: int) -> None:
        self.places = places
        self.taken: set[int] = set()

    @property
    def kept(self) -> int:
        """How many only people's work may take: none of a worker of three places or fewer."""
        return self.places // 4

    def asking(self) -> dict[str, Any]:
        """What NEXT is to be asked with."""
        classes = {name: one.work for name, one in TASKS.items()}
        classes |= {one.task_name: one.work for one in PERIODIC.values()}
        free = self.places - len(self.taken)
        return {
            "tasks": list(classes),
            "classes": [int(work) for work in classes.values()],
            "runs": [name for name, work in classes.items() if work is Work.RUNS],
            "least": int(Work.PEOPLE if free <= self.kept else Work.HOUSEKEEPING),
            "most": max(2, (self.places - self.kept) // 2),
        }

"""Which job a worker takes next, and how many of its places it keeps free.

Procrastinate takes the oldest job of the highest priority. Then a night's hundreds of syncs would
delay an edit that somebody saves, and one site that hangs would hold every place. So:

- a job of a higher class of `Work` goes first;
- some places are reserved for people's work;
- the runs of one connection hold few places, over all workers together.
"""

from typing import Any

from bascule.jobs.registry import PERIODIC, TASKS, Work

# A job's class is that of its task, or the higher one that it was queued with.
KNOWN = """
    known AS (
        SELECT * FROM unnest(%(tasks)s::text[], %(classes)s::int[]) AS each (task_name, class)
    ), busy AS (
        SELECT args ->> 'connection_id' AS connection, count(*) AS places
          FROM procrastinate_jobs
         WHERE status = 'doing' AND task_name = ANY(%(runs)s) GROUP BY 1
    )
"""
# Procrastinate's own function with its rule of locks; `most` is added.
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
# The jobs that would start now if there were enough places.
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
    """The places of one worker. `taken` holds the ids of the running jobs."""

    def __init__(self, places: int) -> None:
        self.places = places
        self.taken: set[int] = set()

    @property
    def kept(self) -> int:
        """How many are reserved for people's work: none of a worker with three places or fewer."""
        return self.places // 4

    def asking(self) -> dict[str, Any]:
        """The parameters of NEXT."""
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

"""Background work on the same PostgreSQL: an enqueue commits with the row that it is about.

Each room registers its own tasks in its `jobs.py`; retries and fencing are the task's own.
"""

from bascule.jobs.queue import Jobs
from bascule.jobs.registry import Work, every, load, task
from bascule.jobs.worker import run_worker

__all__ = ["Jobs", "Work", "every", "load", "run_worker", "task"]

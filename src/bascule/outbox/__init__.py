"""Documents on their way to ERPNext: written exactly once, in order, with what ERPNext said.

What is listed here may be used; the modules behind it may change.
"""

from bascule.outbox.decisions import give_up, retry, undo
from bascule.outbox.key_fields import prepare
from bascule.outbox.listeners import failed, written
from bascule.outbox.tables import OutboxWrite
from bascule.outbox.writes import Origin, Write, name_of, put, put_many

__all__ = [
    "Origin",
    "OutboxWrite",
    "Write",
    "failed",
    "give_up",
    "name_of",
    "prepare",
    "put",
    "put_many",
    "retry",
    "undo",
    "written",
]

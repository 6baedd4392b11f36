"""Sites made of one snapshot over and over, as tests do: from the third on, copies of the second.

Loading takes seconds and a copy a fraction of one. A process that makes one site keeps nothing for
it. Whoever changes a snapshot after a site was made of it gets sites of what it was.
"""

import pickle
from dataclasses import dataclass
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

from bascule.sandbox.core.database.tables import Tables
from bascule.sandbox.core.doctypes.schema import Schema
from bascule.sandbox.core.snapshot import Snapshot


@dataclass(frozen=True)
class Loaded:
    """A site as it is right after loading: `pickled`, its DocTypes' definitions by name."""

    tables: Tables
    pickled: bytes
    unrecorded: frozenset[str]

    def definitions(self) -> dict[str, dict[str, Any]]:
        """Of one's own, to be changed."""
        found: dict[str, dict[str, Any]] = pickle.loads(self.pickled)  # noqa: S301 - our own
        return found


_lock = Lock()
_known: WeakKeyDictionary[Snapshot, Loaded | None] = WeakKeyDictionary()


def loaded(snapshot: Snapshot) -> Loaded | None:
    with _lock:
        return _known.get(snapshot)


def remember(
    snapshot: Snapshot, tables: Tables, schema: Schema, unrecorded: frozenset[str]
) -> None:
    """That a site was loaded: at the second one it is kept, to be copied."""
    with _lock:
        if snapshot not in _known:
            _known[snapshot] = None
        elif _known[snapshot] is None:
            definitions = {doctype.name: schema.original(doctype.name) for doctype in schema}
            _known[snapshot] = Loaded(tables.copy(), pickle.dumps(definitions), unrecorded)

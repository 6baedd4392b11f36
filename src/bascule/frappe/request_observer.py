"""A hook around each request to a site, for counts and traces. One a process."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from bascule.frappe._http.models import Response
from bascule.frappe.errors import FrappeError

# Called with the outcome of the request, before the block ends.
Observed = Callable[[Response | FrappeError], None]
# Called with the method and the path, without the query.
Observer = Callable[[str, str], AbstractContextManager[Observed]]


@contextmanager
def nobody(method: str, path: str) -> Iterator[Observed]:
    yield lambda outcome: None


class ObserverSlot:
    """Holds the one observer of this process."""

    def __init__(self) -> None:
        self._observer: Observer = nobody

    def get(self) -> Observer:
        return self._observer

    def set(self, observer: Observer) -> None:
        self._observer = observer


OBSERVER = ObserverSlot()

"""Who wants to know of each request to a site: to count it, or to trace it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from bascule.frappe._http.models import Response
from bascule.frappe.errors import FrappeError

# Given what the request came to, before the block ends.
Observed = Callable[[Response | FrappeError], None]
# Given method and path, without the query.
Observer = Callable[[str, str], AbstractContextManager[Observed]]


@contextmanager
def nobody(method: str, path: str) -> Iterator[Observed]:
    yield lambda outcome: None


class ObserverSlot:
    """The one observer of this process."""

    def __init__(self) -> None:
        self._observer: Observer = nobody

    def get(self) -> Observer:
        return self._observer

    def set(self, observer: Observer) -> None:
        self._observer = observer


OBSERVER = ObserverSlot()

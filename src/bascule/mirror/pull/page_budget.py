"""How much one process holds at a time: a page in flight is a few megabytes, and there are only
so many.
"""

import asyncio
from weakref import WeakKeyDictionary

MOST_PAGES = 12

_of_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


def page_budget() -> asyncio.Semaphore:
    """The places for pages of this event loop; all streams that it pulls share them."""
    return _of_loop.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(MOST_PAGES))

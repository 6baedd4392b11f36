"""A log that stays small: what one place in the code says over and over is left out and counted.

Who floods the hub must not fill its disk by that.
"""

import logging
import time

MINUTE = 60.0
LINES = 200  # a minute, of one place
TRACEBACKS = 10  # likewise, of one kind of error


class Repeats(logging.Filter):
    """For a handler. What is asked for with DEBUG is never left out."""

    def __init__(self, handler: logging.Handler) -> None:
        super().__init__()
        self._handler = handler
        self._said: dict[tuple[object, ...], int] = {}
        self._since = time.monotonic()

    def filter(self, record: logging.LogRecord) -> bool:
        if time.monotonic() - self._since > MINUTE:
            self._begin_anew()
        if record.levelno <= logging.DEBUG:
            return True
        kind = record.exc_info[0] if record.exc_info else None
        place = (record.pathname, record.lineno, kind)
        self._said[place] = said = self._said.get(place, 0) + 1
        return said <= _most(kind)

    def _begin_anew(self) -> None:
        before, self._said, self._since = self._said, {}, time.monotonic()
        left_out = sum(max(0, said - _most(place[2])) for place, said in before.items())
        if left_out:
            self._handler.emit(
                logging.makeLogRecord(
                    {
                        "name": __name__,
                        "levelno": logging.WARNING,
                        "levelname": "WARNING",
                        "msg": f"{left_out:,} lines like those above were left out.",
                    }
                )
            )


def _most(kind: object) -> int:
    return LINES if kind is None else TRACEBACKS


def bound_repeats() -> None:
    """For every handler that there is."""
    for handler in logging.getLogger().handlers:
        handler.addFilter(Repeats(handler))

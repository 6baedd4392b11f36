"""How seldom a stream is asked for that fails for a reason which only a person can mend.

Each refusal is work for the site, and two rows in its Error Log. By hand it is asked for at once.
"""

from datetime import UTC, datetime, timedelta

from bascule.backoff import Backoff
from bascule.frappe import Invalid, NeverEnds, NoPermission, NotFound, TooLarge
from bascule.mirror.quota import QuotaReached
from bascule.mirror.tables import Stream

RETRY = Backoff(first=10 * 60.0, longest=24 * 3600.0)
# Nobody waits for what these start, and they come again.
UNASKED = frozenset({"schedule", "webhook"})


def needs_a_person(error: Exception) -> bool:
    """No right, no such DocType or field, an error of the site's own code, an answer without end:
    not the network's.
    """
    lasting = NoPermission | NotFound | Invalid | TooLarge | NeverEnds | QuotaReached
    return isinstance(error, lasting)


def after_failure(stream: Stream, error: Exception, now: datetime) -> dict[str, object]:
    """What the stream's row says next. The pause doubles, whoever asked in between."""
    if not needs_a_person(error):
        return {}
    pause = timedelta(seconds=RETRY.pause(stream.failures))
    return {"failures": stream.failures + 1, "retry_at": now + pause}


def retry_text(doctype: str, said: dict[str, object]) -> str:
    """When it is asked for again, as a sentence after the others; "" where nothing is held back."""
    at = said.get("retry_at")
    if not isinstance(at, datetime):
        return ""
    when = f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return f" The schedule asks again at {when}; `bascule sync --stream '{doctype}'` asks now."


def is_paused(stream: Stream, trigger: str, now: datetime) -> bool:
    """Whether a run of this trigger is left out for now."""
    return trigger in UNASKED and stream.retry_at is not None and stream.retry_at > now


FORGOTTEN: dict[str, object] = {"failures": 0, "retry_at": None}

"""How a proof is told, in the same words everywhere: "equal: 217 of 217 by value, 03:05", and
what syncs compare beside it: "by checksum, 5 minutes ago".
"""

from datetime import UTC, datetime

from bascule.ui.filters import distance

NOT_YET = "not yet compared by value"


def proof_text(equal: bool | None, proven: int | None, rows: int, at: datetime | None) -> str:
    """`proven`: documents whose every value was found equal; `rows`: those here. Times in UTC."""
    if equal is None or at is None or proven is None:
        return NOT_YET
    at = at.astimezone(UTC)
    when = f"{at:%H:%M}" if at.date() == datetime.now(UTC).date() else f"{at:%-d %b %H:%M}"
    return f"{'equal' if equal else 'differs'}: {proven:,} of {rows:,} by value, {when}"


def proof_line(proof: str, compared_by: str | None, compared_at: datetime | None) -> str:
    """Both in one line, for a terminal."""
    if compared_by is None or compared_at is None:
        return proof
    past = (datetime.now(UTC) - compared_at).total_seconds()
    return f"{proof}; by {compared_by}, {distance(past)}"

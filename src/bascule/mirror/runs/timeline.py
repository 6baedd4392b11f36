"""The latest rounds as a picture: a bar each, from left to right as time goes."""

from collections.abc import Sequence
from typing import Any

from bascule.mirror.runs.run_batches import RunBatch
from bascule.ui import page_url


def timeline(rounds: Sequence[RunBatch], at: str, before: int | None) -> dict[str, Any]:
    """As long as they took, with how they ended; what `ui.chart` takes. `at`: the page's path."""
    shown = [one for one in reversed(rounds) if one.seconds is not None]
    one_day = len({one.started_at.date() for one in shown}) == 1
    return {
        "labels": [f"{one.started_at:{'%H:%M' if one_day else '%d %b %H:%M'}}" for one in shown],
        "values": [round(one.seconds or 0, 2) for one in shown],
        "unit": "s",
        "states": [_state(one) for one in shown],
        "notes": [f"{one.rows_changed:,} rows changed, {_state(one)}" for one in shown],
        "links": [_link(one, at, before) for one in shown],
    }


def _state(one: RunBatch) -> str:
    return "differs" if one.outcome == "done" and one.differing else one.outcome


def _link(one: RunBatch, at: str, before: int | None) -> str:
    """To the run, or to all runs of the round."""
    if len(one.runs) == 1:
        return f"/runs/{one.id}"
    return f"{page_url(at, before=before, open=one.id)}#runs"

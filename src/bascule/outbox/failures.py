"""What a failed write means: what kind of thing is the matter, what to do, and whether it goes on
by itself.

    down              nobody gets through to the site; tried again by itself
    credentials       the site does not take the connection's key; tried again by itself
    busy              somebody saved the document each time, or an earlier request may still run
    not_permitted     the connection's user may not do this
    invalid           the site refused the values; `wrong` says which field
    duplicate         a document of this name, or with this unique value, is there already
    linked            other documents link to it
    changed_meanwhile it is not what the change was made upon
    gone              the document is not there, or was cancelled
    unknown           a call whose answer was lost, and that must not be made twice
    dependency        what it depends on was given up
    fault             the hub itself failed over it; tried again by itself
    listener          ERPNext has it, and a part of this hub failed to take that in
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from bascule.connections.circuit import OF_THE_SITE, Failed
from bascule.frappe import (
    ChangedMeanwhile,
    Duplicate,
    FrappeError,
    Invalid,
    Linked,
    NoPermission,
    NotFound,
    Unavailable,
    WrongCredentials,
)

Kind = Literal[
    "down",
    "credentials",
    "busy",
    "not_permitted",
    "invalid",
    "duplicate",
    "linked",
    "changed_meanwhile",
    "gone",
    "unknown",
    "dependency",
    "fault",
    "listener",
]
KINDS: tuple[Kind, ...] = get_args(Kind)


class NotSettled(FrappeError):
    """An earlier request may still be under way at the site. `left`: seconds until it cannot be."""

    def __init__(self, message: str, *, next_step: str, left: float) -> None:
        super().__init__(message, next_step=next_step)
        self.left = left


class Gone(FrappeError):
    """The document is not in a state from which this can be done any more."""


class HubFault(FrappeError):
    """What nobody foresaw, so that the other writes go on."""


class UnknownFate(FrappeError):
    """A call that was made once, whose answer was lost."""


@dataclass(frozen=True)
class SendFailure:
    """`again`: it is tried again by itself. `site`: why nobody gets through to the site."""

    kind: Kind
    why: str
    next_step: str
    wrong: Mapping[str, str] = field(default_factory=dict)
    again: bool = False
    retry_after: float | None = None
    site: Failed | None = None


def failure_of(error: FrappeError) -> SendFailure:
    why, step = str(error), error.next_step
    if isinstance(error, OF_THE_SITE):
        pause = error.retry_after if isinstance(error, Unavailable) else None
        kind: Kind = "credentials" if isinstance(error, WrongCredentials) else "down"
        return SendFailure(kind, why, step, again=True, retry_after=pause, site=Failed.of(error))
    if isinstance(error, NotSettled):
        return SendFailure("busy", why, step, again=True, retry_after=error.left)
    if isinstance(error, HubFault):
        return SendFailure("fault", why, step, again=True)
    for of, named in _KINDS:
        if isinstance(error, of):
            wrong = error.fields if isinstance(error, Invalid) else {}
            return SendFailure(named, why, step, wrong=wrong)
    return SendFailure("invalid", why, step)


_KINDS: tuple[tuple[type[FrappeError], Kind], ...] = (
    (ChangedMeanwhile, "changed_meanwhile"),
    (NoPermission, "not_permitted"),
    (NotFound, "gone"),
    (Gone, "gone"),
    (UnknownFate, "unknown"),
    (Linked, "linked"),
    (Duplicate, "duplicate"),
)

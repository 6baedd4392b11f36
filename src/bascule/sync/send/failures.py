"""What a failed send means for the person whose edit it was: what to do, and whether we go on.

States of a link, as people read them:

    in_sync     both sides are the same
    sending     an edit is on its way
    waiting     the site could not be reached or had no time; `retry_at` tells when again
    attention   somebody has to do something; `remedy` tells what kind of thing
    conflict    both sides changed a field; somebody chooses
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bascule.connections.circuit import Failed, Kind
from bascule.frappe import (
    AddressRefused,
    ChangedMeanwhile,
    Duplicate,
    FrappeError,
    Invalid,
    Linked,
    NoPermission,
    NotAFrappeSite,
    NotFound,
    TLSFailure,
    Unavailable,
    WrongCredentials,
)
from bascule.outbox.failures import NotSettled
from bascule.sync.fields import Part
from bascule.sync.mapping import Mapped

JOIN = "Join it with the document that is there, or edit what the two have in common."


@dataclass(frozen=True)
class SendFailure:
    """`remedy`: down, credentials, invalid, duplicate, permission, linked, deleted_there, renamed,
    not_kept. `wrong`: local field -> the site's words. `again`: it is tried again by itself.
    """

    remedy: str
    why: str
    next_step: str
    wrong: Mapping[str, str] = field(default_factory=dict)
    again: bool = False
    of_site: bool = False
    retry_after: float | None = None

    def as_failed(self) -> Failed:
        kind: Kind = "refused" if self.remedy == "credentials" else "down"
        return Failed(kind, self.why, self.next_step, self.retry_after)


def failure_of(error: FrappeError, fields: Mapped, part: Part = "main") -> SendFailure:
    why, step = str(error), error.next_step
    if isinstance(error, Unavailable | TLSFailure | NotAFrappeSite | AddressRefused):
        pause = error.retry_after if isinstance(error, Unavailable) else None
        return SendFailure("down", why, step, again=True, of_site=True, retry_after=pause)
    if isinstance(error, WrongCredentials):
        return SendFailure("credentials", why, step, again=True, of_site=True)
    if isinstance(error, NotSettled):
        return SendFailure("busy", why, step, again=True, retry_after=error.left)
    if isinstance(error, ChangedMeanwhile):
        # Somebody saves it over and over; a little later there is time.
        return SendFailure("busy", why, step, again=True)
    if isinstance(error, NoPermission):
        return SendFailure("permission", why, step)
    if isinstance(error, NotFound):
        return SendFailure("deleted_there", why, step)
    if isinstance(error, Linked):
        return SendFailure("linked", why, step)
    wrong = local_names(error.fields, fields, part) if isinstance(error, Invalid) else {}
    if isinstance(error, Duplicate):
        return SendFailure("duplicate", why, JOIN, wrong=wrong)
    return SendFailure("invalid", why, step, wrong=wrong)


def local_names(said: Mapping[str, str], fields: Mapped, part: Part) -> dict[str, str]:
    """What the site says of its fields, at the fields of the record; by label where it says so."""
    known = {one.place.field.lower(): one.name for one in fields.of_part(part) if one.place}
    known |= {one.label.lower(): one.name for one in fields.of_part(part)}
    found: dict[str, str] = {}
    for name, words in said.items():
        # A row of a child table is named credit_limits[1].company, or by the table alone.
        last = name.rpartition(".")[2].lower()
        found[known.get(name.lower()) or known.get(last) or name] = words
    return found


def is_about_values(error: FrappeError) -> bool:
    """Whether the site would take the document with other values, or a right is missing: what else
    the record has can go all the same.
    """
    return isinstance(error, Invalid | NoPermission) and not isinstance(error, Linked)


def refused_of(
    error: FrappeError, fields: Mapped, part: Part, values: Mapping[str, Any]
) -> dict[str, str]:
    """Of the values that were sent those that the site names in its refusal, with its words. It
    names a field, or quotes the value: 'abc is not a valid Phone Number'.
    """
    if not isinstance(error, Invalid):
        return {}
    named = local_names(error.fields, fields, part)
    found = {name: words for name, words in named.items() if name in values}
    if not found and " is not a valid " in str(error):
        quoted = str(error).partition(" is not a valid ")[0].strip("'\" ")
        found = {name: str(error) for name, value in values.items() if str(value).strip() == quoted}
    return found

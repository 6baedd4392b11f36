"""What becomes of a record when both sides are known: field by field, against what they last
agreed on. Decides and touches nothing.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from bascule.sync.fields import Field, same

POLICIES = ("ask", "erpnext", "hub", "newest")
LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Edit:
    """Who set a value, and when by the hub's clock, as well as that can be told."""

    at: datetime | None = None
    by: str = ""


@dataclass(frozen=True, slots=True)
class Clash:
    """Both sides changed a field, to different values."""

    field: str
    base: Any
    here: Any
    there: Any
    here_edit: Edit
    there_edit: Edit


@dataclass
class Merged:
    """`values`: the record's from now on; `base`: what is agreed on. `taken`: field -> (before,
    after). `overruled`: of clashes that a policy decided, field -> (the value that lost, the one
    that won, who won). `clashes`: those for a person. `send`: what the site has otherwise.
    """

    values: dict[str, Any]
    base: dict[str, Any]
    taken: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    overruled: dict[str, tuple[Any, Any, str]] = field(default_factory=dict)
    clashes: list[Clash] = field(default_factory=list)
    agreed: set[str] = field(default_factory=set)
    send: set[str] = field(default_factory=set)


def merge(
    fields: list[Field],
    *,
    base: Mapping[str, Any],
    here: Mapping[str, Any],
    there: Mapping[str, Any],
    policy: Callable[[str], str],
    here_edit: Callable[[str], Edit],
    there_edit: Callable[[str], Edit],
    doubted: Collection[str] = (),
) -> Merged:
    """Three-way, over the fields that `there` tells of; the others stay as they are. What theirs
    has otherwise in `doubted` fields may be nobody's edit, so a person decides about it.

    One side changed: it is taken. Both to the same: agreed. Both to different: `policy` of the
    field, one of `POLICIES`.
    """
    merged = Merged(dict(here), dict(base))
    for one in fields:
        name = one.name
        if name not in there:
            continue
        was, ours, theirs = base.get(name), here.get(name), there[name]
        if same(one, ours, theirs):
            merged.base[name] = theirs
            merged.agreed.add(name)
        elif not one.is_taken or (one.is_sent and same(one, was, theirs)):
            if not same(one, ours, was):
                merged.send.add(name)
        elif name in doubted and one.is_sent:
            edits = here_edit(name), there_edit(name)
            merged.clashes.append(Clash(name, was, ours, theirs, *edits))
        elif same(one, was, ours) or not one.is_sent:
            _take(merged, name, ours, theirs)
        else:
            _clash(merged, one, was, ours, theirs, policy(name), here_edit(name), there_edit(name))
    return merged


def _take(merged: Merged, name: str, ours: Any, theirs: Any) -> None:
    merged.values[name] = merged.base[name] = theirs
    merged.taken[name] = (ours, theirs)


def _clash(
    merged: Merged,
    one: Field,
    was: Any,
    ours: Any,
    theirs: Any,
    policy: str,
    here: Edit,
    there: Edit,
) -> None:
    name = one.name
    if policy == "newest":
        # Of a tie, and where nobody knows when, the site's stays: others work with it.
        policy = "hub" if (here.at or LONG_AGO) > (there.at or LONG_AGO) else "erpnext"
    if policy == "erpnext":
        merged.values[name] = merged.base[name] = theirs
        merged.overruled[name] = (ours, theirs, "erpnext")
    elif policy == "hub":
        # What is there is known and given up: so it counts as agreed on until ours has arrived.
        merged.base[name] = theirs
        merged.overruled[name] = (theirs, ours, "hub")
        merged.send.add(name)
    else:
        merged.clashes.append(Clash(name, was, ours, theirs, here, there))

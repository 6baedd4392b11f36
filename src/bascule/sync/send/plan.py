"""What a record has otherwise than both sides last agreed on: to be sent, or to be given up."""

from dataclasses import dataclass, field
from typing import Any

from bascule.sync.fields import PARTS, Field, Part, same
from bascule.sync.mapping import Mapped
from bascule.sync.receive.party import Party, values_of
from bascule.sync.tables import Link, Record


@dataclass
class SendPlan:
    """What the site has otherwise than the record. `send`: by part, the fields; `missing`: parts
    that the record is enough for and the site has none of. `kept_back`: by part, fields that
    cannot be sent, as the site does not give what is there. `surplus`: parts that the site has and
    nothing is left of here.
    """

    send: dict[Part, list[str]] = field(default_factory=dict)
    missing: list[Part] = field(default_factory=list)
    kept_back: dict[Part, list[str]] = field(default_factory=dict)
    surplus: list[Part] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.send or self.missing or self.surplus)


def plan_of(fields: Mapped, record: Record, link: Link, held: set[str]) -> SendPlan:
    """From what both sides last agreed on; a field that somebody has to decide about, or that the
    site will not have, is `held` back, and no other.
    """
    plan = SendPlan()
    values = {name: value for name, value in record.values.items() if name not in held}
    for part in PARTS:
        own = fields.of_part(part)
        names = [one.name for one in own if one.name not in held and _differs(one, record, link)]
        if part in link.withheld:
            if names:
                plan.kept_back[part] = names
        elif part != "main" and part not in link.parts:
            if fields.wants(part, values):
                plan.missing.append(part)
        elif part == "address" and names and not fields.wants(part, record.values):
            # ERPNext takes no Address without what makes one, but a document can do without it.
            if not held & {one.name for one in own}:
                plan.surplus.append(part)
        elif names:
            plan.send[part] = names
    return plan


def unsent(fields: Mapped, record: Record, link: Link) -> dict[str, tuple[Any, Any]]:
    """What the site does not have of the record: field -> (here, as both last agreed). A field that
    nothing was agreed on about is empty there; where it merely has its default here, of an Address
    that was not made, it is no edit of anybody's. Nothing, where the site was not read yet.
    """
    if not link.base:
        return {}
    return {
        one.name: (record.values.get(one.name), link.base.get(one.name))
        for one in fields.synced()
        if _differs(one, record, link) and (one.default is None or one.name in link.base)
    }


def _differs(one: Field, record: Record, link: Link) -> bool:
    return one.is_sent and not same(one, record.values.get(one.name), link.base.get(one.name))


def is_as_agreed(fields: Mapped, link: Link, party: Party) -> bool:
    """Whether the site's documents are, value by value, what both sides last agreed on."""
    by_name = fields.by_name
    return (
        link.state == "in_sync"
        and link.gone_at is None
        and link.modified == party.modified()
        and link.parts == party.parts()
        and link.withheld == party.withheld
        and all(
            same(by_name[name], link.base.get(name), value)
            for name, value in values_of(fields, party).items()
        )
    )

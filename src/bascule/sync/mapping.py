"""The fields of a record type as one connection has them: its own, with what people changed.

What people changed is kept as it was said, so that a later release can change the rest.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from bascule.errors import Invalid
from bascule.sync.fields import (
    DIRECTIONS,
    KINDS,
    LONGEST,
    PARTS,
    Field,
    Part,
    Place,
    RecordType,
    clean,
)
from bascule.sync.record_types import record_type
from bascule.sync.tables import TwoWay

_NAME = re.compile(r"[a-z][A-Za-z0-9]{0,39}")
_FIELDNAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]{0,139}")
# What a record says beside its fields.
RESERVED = {
    *("id", "erpnextId", "version", "sync", "connector", "type", "fields"),
    *("createdAt", "updatedAt", "updatedBy", "deletedAt"),
}
ENTRY = {"name", "label", "place", "kind", "direction", "default", "help", "needed", "choices",
         "longest"}  # fmt: skip
TEXTS = ("text", "long", "email", "phone", "url")
MOST_CHOICES = 50
# An Address that lacks one of these is none to ERPNext.
NEEDED_OF_ADDRESS = ("address", "city", "country")


@dataclass(frozen=True)
class Mapped:
    """A record type's fields over one connection, or over none."""

    type: RecordType
    fields: tuple[Field, ...]
    company: str | None = None
    cannot_hold: Mapping[str, str] | None = None

    @cached_property
    def by_name(self) -> dict[str, Field]:
        return {field.name: field for field in self.fields}

    def synced(self) -> list[Field]:
        """Those that have a place on the site which can hold them."""
        return [field for field in self.fields if self.why_not(field) is None]

    def why_not(self, field: Field) -> str | None:
        """Why a field is kept here alone; None: it is not."""
        if self.cannot_hold and field.name in self.cannot_hold:
            return str(self.cannot_hold[field.name])
        if field.place is None:
            return "It is not mapped to a field of the site."
        if _about_company(field.place) and not self.company:
            return "No company is chosen that it would be about."
        return None

    def of_part(self, part: Part) -> list[Field]:
        return [field for field in self.synced() if field.place and field.place.part == part]

    def wants(self, part: Part, values: Mapping[str, Any]) -> bool:
        """Whether a record has enough for an Address or a Contact of its own."""
        if part == "main":
            return True
        own = [field for field in self.of_part(part) if field.default is None]
        return any(values.get(field.name) not in (None, "") for field in own)

    def completed(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """With the defaults of what is not said; those of an Address or a Contact only where there
        is to be one.
        """
        wanted = {part for part in PARTS if self.wants(part, values)}
        return {
            one.name: one.default
            for one in self.fields
            if one.default is not None and (one.place is None or one.place.part in wanted)
        } | {
            name: value for name, value in values.items() if not self._is_idle(name, value, wanted)
        }

    def _is_idle(self, name: str, value: Any, wanted: set[Part]) -> bool:
        """A default that would stand for itself: of an Address that nobody wants."""
        one = self.by_name.get(name)
        if one is None or one.place is None or one.place.part in wanted or one.default is None:
            return False
        return bool(value == one.default)

    def defaults_of_new_parts(
        self, before: Mapping[str, Any], after: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Of an Address or a Contact that comes to be wanted: what is not said of it."""
        parts = {part for part in PARTS if self.wants(part, after) and not self.wants(part, before)}
        return {
            one.name: one.default
            for one in self.fields
            if one.default is not None
            and one.place is not None
            and one.place.part in parts
            and after.get(one.name) is None
        }

    def row_of(self, place: Place) -> dict[str, Any]:
        """By what its row in a child table is known."""
        return {name: self.company if value == "$company" else value for name, value in place.row}


def mapped(two_way: TwoWay) -> Mapped:
    kind = of_site(record_type(two_way.record_type), two_way.site_defaults)
    fields = fields_with(kind, two_way.mapping, two_way.defaults)
    return Mapped(record_type(two_way.record_type), fields, two_way.company, two_way.cannot_hold)


def unchecked(two_way: TwoWay) -> Mapped:
    """As it is wanted, whatever the site was last found to hold."""
    kind = record_type(two_way.record_type)
    fields = fields_with(kind, two_way.mapping, two_way.defaults)
    return Mapped(kind, fields, two_way.company)


def of_site(kind: RecordType, site_defaults: Mapping[str, Any]) -> RecordType:
    """The type with the defaults of a site in place of those that it does not have."""
    fields = [
        replace(one, default=site_defaults[one.name]) if one.name in site_defaults else one
        for one in kind.fields
    ]
    return replace(kind, fields=tuple(fields))


def unmapped(kind: RecordType) -> Mapped:
    """For records that belong to no connection."""
    return Mapped(kind, kind.fields)


def fields_with(
    kind: RecordType, entries: Sequence[Mapping[str, Any]], defaults: Mapping[str, Any]
) -> tuple[Field, ...]:
    """The type's fields, changed and completed. `entries`: checked by `checked_entries`."""
    fields = {field.name: field for field in kind.fields}
    for entry in entries:
        values = dict(entry)
        name = values.pop("name")
        if "place" in values:
            place = values.pop("place")
            values["place"] = None if place is None else Place(**{**place, "row": _row(place)})
        if name in fields:
            fields[name] = replace(fields[name], **values)
        else:
            fields[name] = Field(name=name, own=True, **{"place": None, **values})
    for name, default in defaults.items():
        if name in fields:
            fields[name] = replace(fields[name], default=default)
    return tuple(fields.values())


def _row(place: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple((str(name), value) for name, value in place.get("row") or ())


def _about_company(place: Place) -> bool:
    return any(value == "$company" for _, value in place.row)


def checked_entries(kind: RecordType, entries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What people may say of fields: of their own all, of the type's own all but the kind. Invalid
    names each that cannot be taken.
    """
    known = {field.name: field for field in kind.fields}
    wrong: dict[str, str] = {}
    taken: dict[str, dict[str, Any]] = {}
    for number, entry in enumerate(entries):
        name = str(entry.get("name") or "")
        at = f"mapping.{name or number}"
        if name in taken:
            wrong[at] = "is there twice"
            continue
        try:
            taken[name] = _checked_entry(known.get(name), name, entry)
        except ValueError as error:
            wrong[at] = str(error)
    if wrong:
        raise Invalid(
            "The mapping cannot be taken: "
            + "; ".join(f"{name} {why}" for name, why in wrong.items())
            + ".",
            next_step="Correct what is named and save again; nothing was changed.",
            fields=wrong,
        )
    return list(taken.values())


def _checked_entry(known: Field | None, name: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    if known is None and (name in RESERVED or not _NAME.fullmatch(name)):
        raise ValueError("is no name for a field: letters and digits, such as loyaltyCode")
    unknown = set(entry) - ENTRY
    if unknown:
        raise ValueError(f"has no {sorted(unknown)[0]}")
    kept: dict[str, Any] = {"name": name}
    if "label" in entry or known is None:
        kept["label"] = str(entry.get("label") or name).strip()[:100]
    if "direction" in entry:
        if entry["direction"] not in DIRECTIONS:
            raise ValueError(f"goes {', '.join(DIRECTIONS)}")
        if known is not None and known.required and entry["direction"] != "both":
            raise ValueError("goes both ways: a record is called by it")
        kept["direction"] = entry["direction"]
    if known is None:
        kept["kind"] = entry.get("kind") or "text"
        if kept["kind"] not in KINDS:
            raise ValueError(f"is one of {', '.join(KINDS)}")
    if "place" in entry:
        if known is not None and known.required:
            raise ValueError("stays where it is: a record is called by it")
        kept["place"] = _checked_place(entry["place"])
    kept |= _checked_rules((known.kind if known else kept["kind"]), entry)
    if entry.get("default") is not None:
        judged = known or Field(name, name, None, kind=kept["kind"])
        kept["default"] = clean(judged, entry["default"])
    return kept


def _checked_rules(kind: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """What a value has to be, beyond its kind."""
    kept: dict[str, Any] = {}
    if entry.get("needed") and kind != "flag":
        kept["needed"] = True
    choices = [str(one).strip() for one in entry.get("choices") or [] if str(one).strip()]
    if choices:
        if kind not in TEXTS or len(choices) > MOST_CHOICES:
            raise ValueError(f"has up to {MOST_CHOICES} choices, and they are text")
        kept["choices"] = list(dict.fromkeys(choices))
    if entry.get("longest") is not None:
        longest = entry["longest"]
        if kind not in TEXTS or not isinstance(longest, int) or not 1 <= longest <= LONGEST["long"]:
            raise ValueError(f"is text of at most 1 to {LONGEST['long']:,} characters")
        kept["longest"] = longest
    return kept


def _checked_place(place: Any) -> dict[str, Any] | None:
    if place is None:
        return None
    if isinstance(place, str):
        part, _, inner = place.rpartition(".")
        place = {"part": part or "main", "field": inner}
    if not isinstance(place, Mapping) or place.get("part", "main") not in PARTS:
        raise ValueError("is at a place in main, address or contact, such as address.county")
    inner = str(place.get("field") or "")
    if not _FIELDNAME.fullmatch(inner):
        raise ValueError("names a field of the site, such as loyalty_code")
    return {"part": place.get("part", "main"), "field": inner}


def check_values(fields: Mapped, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values that somebody gave, as they are kept; Invalid names each that cannot be taken."""
    wrong: dict[str, str] = {}
    kept: dict[str, Any] = {}
    for name, value in values.items():
        field = fields.by_name.get(name)
        if field is None:
            wrong[name] = "is no field of these records"
            continue
        if field.direction == "from_erpnext":
            wrong[name] = "is kept in ERPNext, and only comes from there"
            continue
        try:
            kept[name] = clean(field, value)
        except ValueError as error:
            wrong[name] = str(error)
    if wrong:
        raise invalid(fields, wrong)
    return kept


def check_whole(fields: Mapped, values: Mapping[str, Any], *, given: set[str]) -> None:
    """What only a whole record shows: that it has a name, and of an address all that ERPNext
    wants. `given`: what somebody said just now; the rest came from the site, and is its business.
    """
    wrong = {
        field.name: "is needed"
        for field in fields.fields
        if (field.required or (field.needed and field.name in given))
        and values.get(field.name) in (None, "")
    }
    parts = {name for name in given if (f := fields.by_name.get(name)) and _is_address(f)}
    if parts and fields.wants("address", values):
        for name in NEEDED_OF_ADDRESS:
            field = fields.by_name.get(name)
            if field and _is_address(field) and values.get(name) in (None, ""):
                wrong[name] = "is needed: ERPNext takes no address without it"
    if wrong:
        raise invalid(fields, wrong)


def _is_address(field: Field) -> bool:
    return field.place is not None and field.place.part == "address"


def invalid(fields: Mapped, wrong: dict[str, str]) -> Invalid:
    labels = {name: f.label if (f := fields.by_name.get(name)) else name for name in wrong}
    said = "; ".join(f"{labels[name]} {why}" for name, why in wrong.items())
    return Invalid(
        f"This cannot be saved: {said}.",
        next_step="Correct what is named and save again; nothing was changed.",
        fields=wrong,
    )

"""What a person typed into a connector type's form: read by the kind of each field, and judged.

Made for forms in the browser and for programs that want to know what is wrong before they save.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from bascule.connections.frequency import joined
from bascule.connections.types.fields import FormField
from bascule.connections.types.registry import ConnectorType
from bascule.errors import Invalid
from bascule.settings import Settings


class Typed(Protocol):
    """A form as Starlette gives it: several values a name."""

    def getlist(self, key: str) -> Sequence[Any]: ...


def read_form(typed: Typed, fields: Iterable[FormField]) -> dict[str, Any]:
    """A value for each field. A number that cannot be read stays as it was typed, and
    `wrong_fields` refuses it.

    A switch that is off is not sent by a browser, so it is read as off; so is an empty list.
    """
    return {each.name: _read(each, typed) for each in fields}


def _read(each: FormField, typed: Typed) -> Any:
    values = [value for value in typed.getlist(each.name) if isinstance(value, str)]
    if each.type == "switch":
        return bool(values)
    if each.type in ("presets", "warehouses"):
        # One box may hold several, a line each.
        return list(
            dict.fromkeys(v for line in values for v in map(str.strip, line.splitlines()) if v)
        )
    if each.type == "schedule":
        often, at, zone = [*values, "", "", ""][:3]
        return joined(often, at, zone)
    value = values[-1] if values else ""
    if each.type == "number":
        digits = value.strip()
        return (
            int(digits)
            if digits.isascii() and digits.lstrip("-").isdigit() and len(digits) < 10
            else value
        )
    return value


def wrong_fields(
    values: Mapping[str, Any], kind: ConnectorType, settings: Settings
) -> dict[str, str]:
    """Each field that cannot be taken, and why, in words that follow its label. Only what is given
    is judged; `missing_fields` lists what is missing.
    """
    known = {each.name for each in kind.fields} | {"shared"}
    wrong = {name: "is no field of this form" for name in values if name not in known}
    given = {name: value for name, value in values.items() if name in known}
    if kind.behaviour is not None:
        wrong |= kind.behaviour.wrong(given, settings)
    return wrong


def missing_fields(values: Mapping[str, Any], kind: ConnectorType) -> list[str]:
    return [each.name for each in kind.fields if each.required and not values.get(each.name)]


def refuse_wrong(values: Mapping[str, Any], kind: ConnectorType, settings: Settings) -> None:
    """Invalid with every field that is wrong or missing, in the words of `wrong_fields`."""
    wrong = dict.fromkeys(missing_fields(values, kind), "is needed")
    wrong |= wrong_fields(values, kind, settings)
    if wrong:
        labels = {each.name: each.label for each in kind.fields}
        said = "; ".join(f"{labels.get(name, name)} {why}" for name, why in wrong.items())
        raise Invalid(
            f"This form cannot be taken yet: {said}.",
            next_step="Correct what is named and send it again.",
            fields=wrong,
        )

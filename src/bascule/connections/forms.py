"""What a person typed into a connector type's form: read by the kind of each field, and judged.

Made for forms in the browser and for programs that want to know what is wrong before they save.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from bascule.connections.frequency import joined
from bascule.connections.types import ConnectorType, FormField
from bascule.errors import Invalid, NoSuch
from bascule.settings import Settings
from bascule.sites.fields import NewConnection, checked, text

LONGEST_DOCTYPE = 140
MOST_STREAMS = 200


class Typed(Protocol):
    """A form as Starlette gives it: several values a name."""

    def getlist(self, key: str) -> Sequence[Any]: ...


def read_form(typed: Typed, fields: Iterable[FormField]) -> dict[str, Any]:
    """A value for each field. What is no number stays as it was typed, for `wrong_fields` to say.

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
    is judged; that something is missing is `missing_fields`' to say.
    """
    known = {each.name for each in kind.fields} | {"shared"}
    wrong = {name: "is no field of this form" for name in values if name not in known}
    given = {name: value for name, value in values.items() if name in known}
    if "streams" in given and (why := _wrong_streams(given.pop("streams"))):
        wrong["streams"] = why
    if given.get("name") == "":
        del given["name"]  # the host's name will do
    if given.get("shared", False) is None:
        del given["shared"]
    try:
        checked(
            given,
            allow_http=given.get("allow_http") is True or settings.allow_http,
            may_connect=settings.may_connect,
        )
    except Invalid as error:
        wrong |= error.fields
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


def new_connection(values: Mapping[str, Any]) -> NewConnection:
    """From what a form gave; a name that was left out is the host's."""
    kept = {name: value for name, value in values.items() if name != "streams"}
    kept["name"] = kept.get("name") or host_of(str(kept.get("api_url", "")))
    return NewConnection(**kept)


def host_of(address: str) -> str:
    """What a site is called that nobody gave a name."""
    return address.strip().split("://")[-1].split("/")[0]


def type_named(kinds: Iterable[ConnectorType], name: str) -> ConnectorType:
    """NoSuch, also for one that is still to come."""
    for kind in kinds:
        if kind.id == name and kind.available:
            return kind
    raise NoSuch(
        f"There is no connector type {name[:40]!r} yet.",
        next_step="GET /api/connectors/types, or the page Connectors, lists those there are.",
    )


def _wrong_streams(value: Any) -> str | None:
    if not isinstance(value, list):
        return "is not a list of presets and DocTypes"
    if len(value) > MOST_STREAMS:
        return f"has more than {MOST_STREAMS} names"
    for name in value:
        try:
            if not text(name, LONGEST_DOCTYPE):
                return "has an empty name in it"
        except ValueError as error:
            return f"has a name in it that {error}"
    return None

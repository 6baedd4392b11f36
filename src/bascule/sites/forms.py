"""What was typed into the form of an ERPNext site: judged, and made into a connection."""

from collections.abc import Mapping
from typing import Any

from bascule.errors import Invalid
from bascule.settings import Settings
from bascule.sites.fields import NewConnection, checked, text

LONGEST_DOCTYPE = 140
MOST_STREAMS = 200


def wrong_values(values: Mapping[str, Any], settings: Settings) -> dict[str, str]:
    """Each value that cannot be taken, and why. An empty name is none: the host's name is used."""
    given, wrong = dict(values), {}
    if "streams" in given and (why := _wrong_streams(given.pop("streams"))):
        wrong["streams"] = why
    if given.get("name") == "":
        del given["name"]
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


def new_connection(values: Mapping[str, Any]) -> NewConnection:
    """From what a form gave; a name that was left out is the host's."""
    kept = {name: value for name, value in values.items() if name != "streams"}
    kept["name"] = kept.get("name") or host_of(str(kept.get("api_url", "")))
    return NewConnection(**kept)


def host_of(address: str) -> str:
    """What a site is called that nobody gave a name."""
    return address.strip().split("://")[-1].split("/")[0]


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

"""Two-way sync of a record type, turned on as a person does it."""

from typing import Any

from tests.kit.api import Api
from tests.kit.waiting import until


def begin(api: Api, at: str, *, own_field: bool = True) -> None:
    """`at`: the path of its settings. Until the pairs are there that would be made."""
    begun = api.post(f"{at}/begin", {"own_field": own_field})
    assert begun.status == 200, begun.body
    pairs_are_proposed(api, at)


def pairs_are_proposed(api: Api, at: str) -> None:
    until(lambda: api.get(f"{at}/matches").json["ready"], "the preview was not made")


def confirm(api: Api, at: str) -> None:
    """Until the first look at the site is over."""
    confirmed = api.post(f"{at}/confirm")
    assert confirmed.status == 200, confirmed.body
    until(lambda: api.get(at).json["last_poll_at"], "the first look did not end")


def turn_on(
    api: Api, slug: str, records: str = "customers", *, own_field: bool = True, **settings: Any
) -> str:
    """With the pairs that are proposed; the path of its settings."""
    at = f"/api/connectors/{slug}/two-way/{records}"
    if settings:
        changed = api.patch(at, settings)
        assert changed.status == 200, changed.body
    begin(api, at, own_field=own_field)
    confirm(api, at)
    return at

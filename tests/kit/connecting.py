"""A connection to a site, set up as a program does it."""

from typing import Any
from uuid import uuid4

from bascule.sandbox import Running
from tests.kit.api import Answer, Api

SETUP = "/api/connectors/erpnext/setup"
NOWHERE = {"api_url": "http://127.0.0.1:1", "api_key": "key", "api_secret": "secret"}


def way_in(site: Running, user: str = "hub") -> dict[str, str]:
    """Where the site is, and with what this user of it is let in."""
    who = site.users[user]
    return {"api_url": site.url, "api_key": who.api_key, "api_secret": who.api_secret}


def try_to_connect(api: Api, site: Running | None = None, **values: Any) -> Answer:
    """To the site, or to none that is there. Nothing happens there by itself, unless a value says
    otherwise.
    """
    found = NOWHERE | {"test_connection": False} if site is None else way_in(site)
    by_hand = {"name": f"Acme {uuid4().hex[:8]}", "schedule": "manual", "start_sync": False}
    return api.post(SETUP, {**by_hand, **found, **values})


def connect(api: Api, site: Running | None = None, **values: Any) -> Any:
    """What the API tells of the new connection."""
    answer = try_to_connect(api, site, **values)
    assert answer.status == 201, answer.body
    return answer.json

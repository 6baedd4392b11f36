"""Defaults that nobody chose, from the page's form to the pairs: they give way and are no conflict.
What was never the same on both sides is told so, and offers no way back.
"""

import http.client
import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.kit.api import Api
from tests.kit.site import Erp
from tests.kit.waiting import until

THEIRS = {"customer_group": "Bike Shops", "customer_type": "Individual", "language": "nl",
          "territory": "Netherlands"}  # fmt: skip


class _Form(HTMLParser):
    """What a browser would send of the page's form for records."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self.inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        of = dict(attrs)
        if tag == "form":
            self.inside = "record-form" in (of.get("class") or "")
        off = of.get("type") == "checkbox" and "checked" not in of
        if tag == "input" and self.inside and of.get("name") and not off:
            self.values[str(of["name"])] = of.get("value") or ("on" if "checked" in of else "")


def _typed(api: Api, at: str, **said: str) -> int:
    """A record made as the page's form sends it: everything that it is filled with."""
    form = _Form()
    form.feed(api.get(at).body.decode())
    assert form.values["f-country"] and form.values["f-customerGroup"], form.values
    values = form.values | {f"f-{name}": value for name, value in said.items()}
    to = urlsplit(api.url)
    browser = http.client.HTTPConnection(to.hostname or "", to.port, timeout=60)
    headers = {"Authorization": f"Bearer {api.token}",
               "Content-Type": "application/x-www-form-urlencoded"}  # fmt: skip
    browser.request("POST", at, urlencode(values), headers)
    made = browser.getresponse()
    assert made.status == 303, made.read()
    number = re.search(r"/customers/(\d+)", made.headers["location"])
    assert number
    return int(number[1])


def _conflicts(api: Api, number: int) -> dict[str, Any]:
    found = api.get(f"/api/customers/{number}/conflicts").json["conflicts"]
    return {one["field"]: one for one in found}


def test_defaults_of_the_form_give_way_and_what_somebody_chose_is_a_conflict_with_no_way_back(
    api: Api, erp: Erp, turn_on: Callable[..., str]
) -> None:
    for name in ("Quiet One", "Loud One"):
        erp.create("Customer", customer_name=name, address_line1="Markt 1", city="Delft",
                   country="Netherlands", email_id=f"{name[:4]}@example.com".lower(),
                   **THEIRS)  # fmt: skip
    place = {"address": "Markt 1", "city": "Delft"}
    quiet = _typed(api, "/customers/new", name="Quiet One", **place)
    loud = _typed(api, "/customers/new", name="Loud One", customerGroup="Consumers",
                  territory="Germany", **place)  # fmt: skip
    # An Address that comes later brings its default, which nobody chose either.
    late = api.post("/api/customers", {"name": "Late One"}).json["id"]
    erp.create("Customer", customer_name="Late One", address_line1="Plein 2", city="Gouda",
               country="Netherlands", **THEIRS)  # fmt: skip
    later = api.ask("PUT", "/api/customers", {"id": late, "address": "Plein 2", "city": "Gouda"})
    assert later.json["country"] == "Saudi Arabia", later.body
    turn_on()
    for number in (quiet, late):
        until(lambda n=number: api.get(f"/api/customers/{n}").json["sync"]["state"] != "sending")
        record = api.get(f"/api/customers/{number}").json
        assert record["sync"]["state"] == "in_sync", _conflicts(api, number)
        assert (record["country"], record["territory"]) == ("Netherlands", "Netherlands")
    until(lambda: api.get(f"/api/customers/{loud}").json["sync"]["state"] == "conflict")
    open_ = _conflicts(api, loud)
    assert open_.keys() == {"customerGroup", "territory"}
    assert not any(one["agreed"] for one in open_.values())

    page = api.get(f"/customers/{loud}").body.decode()
    assert "never had the same" in page and "Back to this" not in page
    at = f"/api/customers/{loud}/conflicts"
    back = api.post(f"{at}/territory", {"choice": "base"})
    assert back.status == 422 and "choice" in back.json["fields"], back.body
    assert api.post(at, {"choice": "base"}).status == 422
    assert _conflicts(api, loud).keys() == {"customerGroup", "territory"}
    told = [one["what"] for one in api.get("/api/needs").json["needs"] if one["kind"] == "conflict"]
    assert told == ["1 customer changed here and in ERPNext: 2 fields to decide."]

    # What is the matter with it besides, and how many of its fields differ, does not count twice.
    assert api.post(f"{at}/territory", {"choice": "there"}).status == 200
    told = [one["what"] for one in api.get("/api/needs").json["needs"] if one["kind"] == "conflict"]
    assert told == ["1 customer changed here and in ERPNext: 1 field to decide."]
    assert api.post(f"{at}/customerGroup", {"choice": "here"}).status == 200
    until(lambda: erp.read("Customer", "Loud One")["customer_group"] == "Consumers")

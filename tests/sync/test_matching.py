"""What both sides have before two-way sync is on: paired, looked at, and made nowhere twice."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.kit.api import Api
from tests.kit.site import Erp
from tests.kit.two_way import begin, confirm
from tests.kit.waiting import until

HERE = {"customerGroup": "Consumers"}


class Turning:
    """Two-way sync of customers on its way to being on."""

    def __init__(self, api: Api, erp: Erp, connector: str) -> None:
        self.api, self.erp = api, erp
        self.at = f"/api/connectors/{connector}/two-way/customers"

    def begin(self, **settings: Any) -> None:
        if settings:
            assert self.api.patch(self.at, settings).status == 200
        begin(self.api, self.at)

    def matches(self, **wanted: Any) -> Any:
        return self.api.get(f"{self.at}/matches", limit=500, **wanted).json

    def of_record(self, number: int) -> Any:
        [row] = [one for one in self.matches()["matches"] if one["recordId"] == number]
        return row

    def decide(self, row: Any, decision: str, **more: str) -> None:
        told = {"id": row["id"], "decision": decision, **more}
        decided = self.api.post(f"{self.at}/matches", told)
        assert decided.status == 200, decided.body

    def confirm(self) -> None:
        confirm(self.api, self.at)

    def off(self) -> None:
        assert self.api.delete(self.at).status == 200

    def documents(self) -> set[str]:
        return {row["name"] for row in self.erp.list("Customer")}

    def records(self) -> list[Any]:
        return list(self.api.get("/api/customers", limit=500).json["records"])

    def check_each_once(self) -> None:
        linked = [one["erpnextId"] for one in self.records() if one["erpnextId"]]
        assert len(linked) == len(set(linked))
        assert set(linked) == self.documents()


@pytest.fixture
def turning(api: Api, erp: Erp, connected: str) -> Turning:
    return Turning(api, erp, connected)


@pytest.fixture
def here(api: Api) -> Callable[..., int]:
    """A record that is made before anything is turned on."""

    def here(name: str, **values: Any) -> int:
        made = api.post("/api/customers", {**HERE, "name": name, **values})
        assert made.status == 201, made.body
        assert made.json["sync"]["state"] == "local"
        return int(made.json["id"])

    return here


@pytest.fixture
def there(erp: Erp) -> Callable[..., str]:
    def there(name: str, **values: Any) -> str:
        made = erp.create(
            "Customer",
            customer_name=name,
            customer_type="Company",
            customer_group="Bike Shops",
            **values,
        )
        return str(made["name"])

    return there


def test_a_tax_number_counts_before_an_address_of_mail_and_that_before_a_name(
    turning: Turning,
    here: Callable[..., int],
    there: Callable[..., str],
    synced: Callable[..., Any],
) -> None:
    three = here("Name Co", taxNumber="NL 123", email="mail@example.com")
    two = here("Other Co", email="two@example.com")
    one = here("Third   CO")
    by_tax = there("Tax Co", tax_id="nl 123")
    there("Mail Co", email_id="mail@example.com")
    there("Name Co")
    by_mail = there("Two Co", email_id="TWO@example.com")
    there("Other Co")
    by_name = there("third co")
    before = turning.documents()
    turning.begin(policy="erpnext")
    rows = {number: turning.of_record(number) for number in (three, two, one)}
    assert {
        number: (row["matchedBy"], row["document"], row["decision"], row["ambiguous"])
        for number, row in rows.items()
    } == {
        three: ("tax_id", by_tax, "pair", False),
        two: ("email", by_mail, "pair", False),
        one: ("name", by_name, "pair", False),
    }
    brought = {row["document"] for row in turning.matches(decision="bring")["matches"]}
    assert brought == before - {by_tax, by_mail, by_name}
    turning.confirm()
    for number, document in ((three, by_tax), (two, by_mail), (one, by_name)):
        assert synced(number)["erpnextId"] == document
    assert turning.documents() == before
    turning.check_each_once()


def test_a_pair_that_differs_is_decided_field_by_field(
    api: Api,
    erp: Erp,
    turning: Turning,
    here: Callable[..., int],
    there: Callable[..., str],
    synced: Callable[..., Any],
) -> None:
    number = here("Name Here", taxNumber="NL 1", website="https://here.example")
    document = there("Name There", tax_id="NL 1", website="https://there.example")
    turning.begin()
    turning.confirm()
    synced(number, state="conflict")
    open_ones = api.get(f"/api/customers/{number}/conflicts").json["conflicts"]
    told = {one["field"]: (one["here"], one["there"]) for one in open_ones}
    assert told["name"] == ("Name Here", "Name There")
    assert told["website"] == ("https://here.example", "https://there.example")
    assert erp.read("Customer", document)["website"] == "https://there.example"
    assert api.post(f"/api/customers/{number}/conflicts", {"choice": "here"}).status == 200
    record = synced(number)
    stored = erp.read("Customer", record["erpnextId"])
    assert (stored["customer_name"], stored["website"]) == ("Name Here", "https://here.example")
    assert record["erpnextId"] == document


def test_where_several_would_fit_none_is_taken_until_somebody_says_which(
    api: Api,
    turning: Turning,
    here: Callable[..., int],
    there: Callable[..., str],
    synced: Callable[..., Any],
) -> None:
    left = here("Left Alone", taxNumber="DUP 1")
    chosen = here("Chosen By Hand", taxNumber="DUP 2")
    for number in (1, 2):
        there(f"First {number}", tax_id=f"DUP {number}")
        there(f"Second {number}", tax_id=f"DUP {number}")
    before = turning.documents()
    turning.begin(policy="erpnext")
    rows = {number: turning.of_record(number) for number in (left, chosen)}
    for row in rows.values():
        assert (row["ambiguous"], row["decision"], row["matchedBy"]) == (True, "leave", "tax_id")
    turning.decide(rows[chosen], "pair")
    turning.confirm()
    assert synced(chosen)["erpnextId"] == rows[chosen]["document"]
    record = api.get(f"/api/customers/{left}").json
    assert (record["sync"]["state"], record["erpnextId"]) == ("local", None)
    assert turning.documents() == before
    turning.check_each_once()


def test_a_record_is_paired_with_any_document_that_a_person_names(
    api: Api,
    turning: Turning,
    here: Callable[..., int],
    there: Callable[..., str],
    synced: Callable[..., Any],
) -> None:
    one_of_two, misspelt = here("One Of Two", taxNumber="DUP 3"), here("Jansen & Zn")
    first, second = (there(name, tax_id="DUP 3") for name in ("First Of Two", "Second Of Two"))
    meant = there("Jansen en Zoon")
    before = turning.documents()
    turning.begin(policy="erpnext")
    brought = turning.matches()["counts"]["bring"]
    row = turning.of_record(one_of_two)
    assert {row["document"], *row["others"]} == {first, second}
    [other] = row["others"]
    turning.decide(row, "pair", document=other)
    row = turning.of_record(misspelt)
    nowhere = {"id": row["id"], "decision": "pair", "document": "Nobody"}
    assert api.post(f"{turning.at}/matches", nowhere).status == 422
    turning.decide(row, "pair", document=meant)
    counts = turning.matches()["counts"]
    assert (counts["pair"], counts["bring"], counts["send"]) == (2, brought - 2, 0)
    turning.confirm()
    assert synced(one_of_two)["erpnextId"] == other
    assert synced(misspelt)["erpnextId"] == meant
    assert turning.documents() == before
    turning.check_each_once()


def test_two_records_that_would_fit_one_document_are_left_too(
    api: Api, turning: Turning, here: Callable[..., int], there: Callable[..., str]
) -> None:
    numbers = [here("Twin", email=f"{at}@example.com") for at in ("a", "b")]
    document = there("Twin")
    turning.begin(policy="erpnext")
    rows = [turning.of_record(number) for number in numbers]
    assert [(row["ambiguous"], row["decision"]) for row in rows] == [(True, "leave")] * 2
    turning.decide(rows[0], "pair")
    refused = api.post(f"{turning.at}/matches", {"id": rows[1]["id"], "decision": "pair"})
    assert refused.status == 409, refused.body
    turning.confirm()
    told = [api.get(f"/api/customers/{number}").json["erpnextId"] for number in numbers]
    assert told == [document, None]


def test_what_one_side_alone_has_comes_to_the_other_and_again_to_none(
    api: Api,
    erp: Erp,
    turning: Turning,
    here: Callable[..., int],
    there: Callable[..., str],
    synced: Callable[..., Any],
) -> None:
    """Turned off and on again, it finds all paired."""
    ours = here("Only Here", website="https://here.example")
    kept = here("Kept Here")
    theirs = there("Only There", website="https://there.example")
    before = turning.documents()
    turning.begin()
    assert turning.of_record(ours)["decision"] == "send"
    assert erp.list("Customer", [["customer_name", "like", "% Here"]]) == []
    turning.decide(turning.of_record(kept), "leave")
    turning.confirm()
    assert synced(ours)["erpnextId"] == "Only Here"
    assert erp.read("Customer", "Only Here")["website"] == "https://here.example"
    [record] = [one for one in turning.records() if one["erpnextId"] == theirs]
    assert (record["name"], record["website"]) == ("Only There", "https://there.example")
    assert api.get(f"/api/customers/{kept}").json["sync"]["state"] == "local"
    assert turning.documents() == before | {"Only Here"}
    turning.check_each_once()

    turning.off()
    edited = {"website": "https://while-off.example"}
    assert api.ask("PUT", f"/api/customers/{ours}", edited).status == 200
    assert erp.read("Customer", "Only Here")["website"] == "https://here.example"
    turning.begin()
    assert turning.matches()["counts"] == {"pair": 0, "bring": 0, "send": 1, "leave": 0}
    turning.decide(turning.of_record(kept), "leave")
    turning.confirm()
    until(lambda: erp.read("Customer", "Only Here")["website"] == edited["website"])
    assert turning.documents() == before | {"Only Here"}
    turning.check_each_once()


def test_what_nobody_chose_yields_to_what_is_there(
    api: Api, turning: Turning, there: Callable[..., str], synced: Callable[..., Any]
) -> None:
    there("Quiet Co")
    number = api.post("/api/customers", {"name": "Quiet Co"}).json["id"]
    turning.begin()
    turning.confirm()
    record = synced(number)
    assert (record["erpnextId"], record["customerGroup"]) == ("Quiet Co", "Bike Shops")


def test_defaults_that_nobody_chose_are_those_of_the_connector_that_a_record_comes_to(
    api: Api, erp: Erp, turning: Turning, there: Callable[..., str], synced: Callable[..., Any]
) -> None:
    there("Quiet Co")
    paired = api.post("/api/customers", {"name": "Quiet Co"}).json
    alone = api.post(
        "/api/customers", {"name": "Alone Co", "address": "Markt 1", "city": "Gent"}
    ).json
    assert (alone["country"], alone["customerGroup"]) == ("Saudi Arabia", "Individual")
    turning.begin(defaults={"country": "Belgium", "customerGroup": "Consumers"})
    turning.confirm()
    record = synced(alone["id"])
    assert (record["country"], record["customerGroup"]) == ("Belgium", "Consumers")
    assert erp.read("Customer", "Alone Co")["customer_group"] == "Consumers"
    assert synced(paired["id"])["customerGroup"] == "Bike Shops"


def test_a_site_that_was_set_up_as_erpnext_does_takes_the_first_customer_as_it_is(
    api: Api, erp: Erp, turn_on: Callable[..., str], synced: Callable[..., Any]
) -> None:
    turn_on()
    at = {"address": "Markt 1", "city": "Delft"}
    made = synced(api.post("/api/customers", {"name": "First Co", **at}).json["id"])
    assert (made["customerGroup"], made["country"]) == ("Individual", "Saudi Arabia")
    assert erp.read("Customer", "First Co")["customer_group"] == "Individual"


def test_a_usual_country_that_is_not_the_companys_is_told_before_it_is_used(
    api: Api, turning: Turning
) -> None:
    def told() -> str:
        return " ".join(note["what"] for note in api.post(f"{turning.at}/check").json["notes"])

    assert "Country is 'Saudi Arabia' where nothing is said; the country of" in told()
    turning.begin()
    assert "Saudi Arabia" in str(turning.matches()["notes"]), "nor by who begins without a check"
    turning.begin(defaults={"country": "Netherlands"})
    assert "where nothing is said" not in told()


def test_a_default_that_the_site_does_not_have_comes_from_the_site_and_is_shown_before(
    api: Api, erp: Erp, turning: Turning, synced: Callable[..., Any]
) -> None:
    for doctype, name in (("Customer Group", "Individual"), ("Country", "Saudi Arabia")):
        erp.delete(doctype, name)
    waits = api.post("/api/customers", {"name": "Waits Co", "address": "Markt 1", "city": "Delft"})
    checked = api.post(f"{turning.at}/check").json
    told = " ".join(note["what"] for note in checked["notes"])
    assert "no Customer Group 'Individual'" in told and "no Country 'Saudi Arabia'" in told
    groups = {row["name"]: row["is_group"] for row in
              erp.list("Customer Group", fields=("name", "is_group"))}  # fmt: skip
    instead = checked["site_defaults"]
    assert groups[instead["customerGroup"]] == 0 and instead["country"] == "Netherlands"
    turning.begin()
    shown = turning.matches()["notes"]
    assert instead["customerGroup"] in str(shown), "nor by who begins without a check"
    page = api.get(turning.at.removeprefix("/api")).body.decode()
    assert f"it is &#39;{instead['customerGroup']}&#39; instead" in page
    turning.confirm()
    record = synced(waits.json["id"])
    assert {name: record[name] for name in instead} == instead
    made = erp.read("Customer", record["erpnextId"])
    assert made["customer_group"] == instead["customerGroup"]
    new = api.post("/api/customers", {"name": "New Co"}).json
    assert new["customerGroup"] == instead["customerGroup"]


def test_what_fails_in_the_check_is_not_gone_past_by_begin_nor_by_confirm(
    api: Api, erp: Erp, turning: Turning
) -> None:
    """A default that somebody chose is theirs: nothing takes its place."""
    erp.create("Customer Group", customer_group_name="Dealers",
               parent_customer_group="All Customer Groups")  # fmt: skip
    turning.begin(defaults={"customerGroup": "Dealers"})
    erp.delete("Customer Group", "Dealers")
    refused = api.post(f"{turning.at}/confirm")
    assert refused.status == 409 and "no Customer Group 'Dealers'" in refused.body.decode()
    assert api.get(turning.at).json["status"] == "matching"
    assert api.post(f"{turning.at}/begin", {}).status == 409
    [why] = api.post(f"{turning.at}/check").json["refused"]
    assert "it refuses what is made here" in why["what"]

    # Nor is what nobody saw: another value in the place of a default than was shown.
    turning.begin(defaults={})
    erp.delete("Customer Group", "Individual")
    changed = api.post(f"{turning.at}/confirm")
    assert changed.status == 409 and "customerGroup" in changed.body.decode()
    turning.begin()
    turning.confirm()


def test_a_tax_number_is_the_same_with_other_punctuation_and_no_conflict(
    turning: Turning, here: Any, there: Callable[..., str], synced: Callable[..., Any]
) -> None:
    """It is paired by it, so the way it is written there is taken; so are other cases of a name."""
    number = here("ACME co", taxNumber="nl-1406.63166 b01", email="Mail@Example.com",
                  customerGroup="Bike Shops")  # fmt: skip
    name = there("Acme Co", tax_id="NL140663166B01", email_id="mail@example.com")
    turning.begin()
    row = turning.of_record(number)
    assert (row["document"], row["matchedBy"], row["decision"]) == (name, "tax_id", "pair")
    turning.confirm()
    record = synced(number)
    assert (record["taxNumber"], record["name"]) == ("NL140663166B01", "Acme Co")
    assert record["email"] == "mail@example.com"


def test_names_that_are_one_to_the_database_are_shown_and_not_made_twice(
    turning: Turning, here: Callable[..., int], there: Callable[..., str]
) -> None:
    alike = [
        ("\uff21\uff23\uff2d\uff25 No. 1", "acme no. 1", "pair"),  # full-width letters
        ("Cafe\u0301 West", "Caf\u00e9 West", "pair"),  # a combining accent
        ("Cafe Oost", "Caf\u00e9 Oost", "leave"),
        ("Stra\u00dfe 7", "STRASSE 7", "pair"),
        ("K\u0152UR", "koeur", "leave"),
        ("Shop \U0001f600", "Shop \U0001f601", "leave"),
    ]
    expected = {here(ours): (there(theirs), becomes) for ours, theirs, becomes in alike}
    number = here("Cafe Zuid")
    names = {there("Caf\u00e9 Zuid"), there("CAF\u00c8 ZUID")}
    other = here("Cafe Noord")
    turning.begin()
    rows = {one["recordId"]: one for one in turning.matches()["matches"]}
    for record, (name, becomes) in expected.items():
        row = rows[record]
        assert (row["document"], row["decision"]) == (name, becomes)
        assert row["ambiguous"] is (becomes == "leave")
    assert {rows[number]["document"], *rows[number]["others"]} == names, "all of them are offered"
    assert rows[other]["decision"] == "send"
    turning.decide(rows[other], "leave")
    before = turning.documents()
    turning.confirm()
    assert turning.documents() == before


def test_what_comes_up_after_the_preview_has_to_be_looked_at_before_it_is_confirmed(
    api: Api, turning: Turning, here: Callable[..., int], there: Callable[..., str]
) -> None:
    kept, apart = here("Kept Here"), here("Made Twice")
    other = there("made twice")
    turning.begin()
    turning.decide(turning.of_record(kept), "leave")
    turning.decide(turning.of_record(apart), "send")
    late = here("Late Here")
    there("late here")
    refused = api.post(f"{turning.at}/confirm")
    assert refused.status == 409 and "Look again" in str(refused.json)
    assert "1 came up here and 1 in" in str(refused.json)
    turning.begin()
    assert turning.of_record(late)["decision"] == "pair"
    assert turning.of_record(kept)["decision"] == "leave", "what was decided stays"
    assert turning.of_record(apart)["decision"] == "send"
    brought = {row["document"] for row in turning.matches(decision="bring")["matches"]}
    assert other in brought, "and so does what follows from it"
    turning.confirm()

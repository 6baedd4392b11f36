"""A source that is declared in one file goes through the receiver, the retries and the pages."""

import html
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from bascule.inbox import register_source, subscribe
from bascule.inbox.verifiers import stripe
from tests.inbox.conftest import EAR, End, Sent, refused, send
from tests.inbox.made_up import LEDGER, event, header, verify, write_down
from tests.kit.api import Api
from tests.kit.waiting import until


def deliver(end: End, body: bytes, **headers: str) -> Sent:
    signed = headers or header(end.slug, body)
    return send(end.hub.url, f"/api/webhooks/crates/{end.slug}", body, headers=signed)


def row(end: End, columns: str) -> Any:
    [found] = end.rows(columns)
    return found


def test_delivery_is_verified_kept_encrypted_and_given_whole_to_its_subscriber(end: End) -> None:
    body = event(1, "Ödd 🏗", weight=3)
    assert deliver(end, body).status == 200
    end.worked_off()
    [told] = LEDGER.of(end.connection)
    assert (told.subject_type, told.subject, told.event) == ("crate", "Ödd 🏗", "crate.moved")
    assert (told.external_id, told.payload) == ("evt_1", body)
    assert EAR.of(end.connection) == [], "another source's subscriber was told"
    sealed, shown, state = row(end, "payload_encrypted, body, state")
    assert (shown, state) == (None, "done")
    assert "weight" not in sealed
    assert end.hub.hub.vault.decrypt(sealed).encode("latin-1") == body


@pytest.mark.parametrize("how", ["unsigned", "forged", "late", "other body", "other endpoint"])
def test_delivery_that_is_not_signed_as_its_source_signs_leaves_nothing(
    make_end: Callable[..., End], how: str
) -> None:
    end, other = make_end(), make_end()
    body = event(1)
    headers = {
        "unsigned": {"X-Other": "1"},
        "forged": header("another_slug", body),
        "late": header(end.slug, body, at=int(time.time()) - 400),
        "other body": header(end.slug, body + b" "),
        "other endpoint": header(other.slug, body),
    }[how]
    answer = deliver(end, body, **headers)
    assert answer.status == 401
    assert {"detail", "next_step"} <= set(answer.json)
    assert end.rows() == other.rows() == []


def test_same_event_is_kept_once_however_often_and_at_once_it_comes(end: End) -> None:
    with ThreadPoolExecutor(8) as crowd:
        told = list(crowd.map(lambda n: deliver(end, event(n % 5, note=str(n))).status, range(40)))
    assert set(told) == {200}
    assert len(end.worked_off()) == 5
    assert sorted(str(one.external_id) for one in LEDGER.of(end.connection)) == [
        f"evt_{number}" for number in range(5)
    ]


def test_event_of_no_subscriber_is_kept_and_done(end: End) -> None:
    body = event(1).replace(b'"object": "crate"', b'"object": "pallet"')
    assert deliver(end, body).status == 200
    assert end.worked_off() == [("done", "pallet", "C-1", "crate.moved")]
    assert LEDGER.of(end.connection) == []


def test_body_that_its_source_cannot_read_is_kept_unreadable_and_shown_to_nobody(
    end: End, api: Api
) -> None:
    assert deliver(end, b'{"card": "4242"}').status == 200
    state, shown, why = row(end, "state, body, error")
    assert (state, shown) == ("unreadable", None)
    assert "no event" in why
    assert "4242" not in str(api.get(f"/api/deliveries?connector={end.slug}").json)


def test_too_large_body_and_unknown_source_are_refused(end: End) -> None:
    assert deliver(end, b"x" * (64 * 1024 + 1)).status == 413
    answer = send(end.hub.url, f"/api/webhooks/nobody/{end.slug}", b"{}")
    assert answer.status == 404
    assert "source" in answer.json["detail"]
    assert end.rows() == []


def test_failing_subscriber_is_told_again_and_the_page_says_what_came_of_it(
    end: End, api: Api
) -> None:
    LEDGER.raising[end.connection] = refused("The ledger is shut.")
    assert deliver(end, event(1)).status == 200
    until(lambda: end.rows("attempts") == [(1,)])
    at = f"/api/deliveries?source=crates&connector={end.slug}"
    [shown] = api.get(at).json["deliveries"]
    assert (shown["state"], shown["error"]) == ("kept", "The ledger is shut.")
    [outcome] = shown["subscribers"]
    assert (outcome["name"], outcome["state"]) == ("crates.ledger", "failed")
    assert (outcome["error"], outcome["next_step"]) == ("The ledger is shut.", "Mend it.")
    del LEDGER.raising[end.connection]
    assert api.post(f"/api/deliveries/{shown['id']}/retry").status == 200
    assert {state for state, *_ in end.worked_off()} == {"done"}
    [shown] = api.get(at).json["deliveries"]
    assert (shown["state"], shown["subscribers"][0]["state"]) == ("done", "done")
    assert shown["next_try_at"] is None
    assert api.post(f"/api/deliveries/{shown['id']}/retry").status == 409
    assert api.post("/api/deliveries/999999/retry").status == 404
    assert len(LEDGER.of(end.connection)) == 1


def test_page_and_api_tell_of_every_source(end: End, api: Api) -> None:
    assert deliver(end, event(1, "C-<b>")).status == 200
    assert end.tell(name="Acme & Söhne").status == 200
    end.worked_off()
    found = api.get("/api/deliveries?limit=2").json
    sources = {one["name"]: one for one in found["sources"]}
    assert set(sources) >= {"erpnext", "crates"}
    assert sources["crates"]["label"] == "Crates & Co"
    assert sources["crates"]["last_day"] >= 1
    about = [(one["source"], one["subject"]) for one in found["deliveries"]]
    assert about == [("erpnext", "Acme & Söhne"), ("crates", "C-<b>")]
    assert {of["name"] for of in found["deliveries"][0]["subscribers"]} >= {
        "mirror.fetch_what_changed",
        "twoway.refetch",
    }
    assert found["next"] == found["deliveries"][-1]["id"] or found["next"] is None
    page = api.get("/deliveries").body
    text = page.decode() if isinstance(page, bytes) else page
    assert html.escape("C-<b>") in text
    assert "C-<b>" not in text
    assert "Crates &amp; Co" in text
    assert "moved" in text


def test_name_of_a_source_or_a_subscriber_is_taken_once() -> None:
    with pytest.raises(ValueError, match="crates"):
        register_source("crates", verify=verify, parse=stripe.parse, keep_payload=True)
    with pytest.raises(ValueError, match="address"):
        register_source("a/b", verify=verify, parse=stripe.parse, keep_payload=True)
    with pytest.raises(ValueError, match="subscriber"):
        subscribe("crates", "crate", name="crates.ledger")(write_down)

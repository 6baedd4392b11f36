"""What arrives: verified over its raw bytes, kept before it is answered, believed in nothing."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest

from bascule.inbox.frappe.signatures import LARGEST, SIGNATURE
from tests.inbox.conftest import EAR, End, send
from tests.sandbox.conformance.conftest import RECORDINGS


def deliveries() -> list[Any]:
    file = RECORDINGS / "exchanges" / "webhook_delivered.jsonl"
    if not file.exists():
        pytest.skip("The recordings of a real ERPNext are not here.")
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_what_a_real_erpnext_sent_is_taken_with_its_own_headers(
    make_end: Callable[..., End],
) -> None:
    sent = deliveries()
    end = make_end(sent[0]["secret"])
    for one in sent:
        body = one["body"].encode()
        signature = one["headers"][SIGNATURE]
        answer = end.send(body, signature=signature, headers={"User-Agent": "python-requests"})
        assert (answer.status, answer.json) == (200, {"kept": True})
        changed = end.send(body + b" ", signature=signature)
        assert changed.status == 401
    states = end.rows("state, subject_type, subject")
    assert set(states) == {("kept", "Customer", 'Odd "Ü" & \\ Co')} or {
        one[1:] for one in states
    } == {("Customer", 'Odd "Ü" & \\ Co')}


def test_it_is_told_to_who_listens(end: End) -> None:
    assert end.tell(name='Ödd "Ü" 🏗 \\ <b>', event="after_insert").status == 200
    assert end.worked_off() == [("done", "Customer", 'Ödd "Ü" 🏗 \\ <b>', "after_insert")]
    [one] = EAR.of(end.connection)
    assert (one.doctype, one.name, one.event) == ("Customer", 'Ödd "Ü" 🏗 \\ <b>', "after_insert")


@pytest.mark.parametrize("how", ["unsigned", "empty", "forged", "other body", "not base64"])
def test_what_is_not_signed_is_refused_and_leaves_nothing(end: End, how: str) -> None:
    body = b'{"doctype": "Customer", "name": "Acme"}'
    right = base64.b64encode(hmac.digest(end.secret.encode(), body, hashlib.sha256)).decode()
    signature = {
        "unsigned": None,
        "empty": "",
        "forged": base64.b64encode(hmac.digest(b"guess", body, hashlib.sha256)).decode(),
        "other body": right,
        "not base64": "ü" * 44,
    }[how]
    sent = body.replace(b"Acme", b"Axme") if how == "other body" else body
    headers = {}
    if how == "not base64":
        headers, signature = {SIGNATURE: "\xfc" * 44}, None
    answer = end.send(sent, signature=signature, headers=headers)
    assert answer.status == 401
    assert set(answer.json) == {"type", "title", "status", "detail", "next_step"}
    assert end.rows() == []


def test_an_unknown_connection_is_refused_in_the_same_words_as_a_wrong_signature(end: End) -> None:
    body = b'{"doctype": "Customer", "name": "Acme"}'
    wrong = end.send(body, secret="not the secret")
    path = f"/api/webhooks/erpnext/customers?connection={uuid4().hex}"
    unknown = send(end.hub.url, path, body, secret=end.secret)
    assert (unknown.status, unknown.body) == (wrong.status, wrong.body) == (401, wrong.body)


def test_the_connection_is_named_by_header_or_found_by_its_secret(
    make_end: Callable[..., End],
) -> None:
    one, other = make_end("secret of one"), make_end("secret of the other")
    path = "/api/webhooks/erpnext/customers"
    body = b'{"doctype": "Customer", "name": "Acme"}'
    by_header = {"X-Bascule-Connection": one.token}
    assert send(one.hub.url, path, body, secret=one.secret, headers=by_header).status == 200
    assert send(one.hub.url, path, body, secret=other.secret).status == 200
    assert send(one.hub.url, path, body, secret=other.secret, headers=by_header).status == 401
    assert (len(one.rows()), len(other.rows())) == (1, 1)


@pytest.mark.parametrize("length", [LARGEST + 1, 5 * LARGEST])
def test_a_body_that_is_too_large_is_refused(end: End, length: int) -> None:
    assert end.send(b"x" * length).status == 413
    assert end.rows() == []


UNREADABLE = {
    "text": b"hello",
    "nothing": b"",
    "list": b'["Customer"]',
    "no name": b'{"doctype": "Customer"}',
    "empty name": b'{"doctype": "Customer", "name": ""}',
    "a name that is an object": b'{"doctype": "Customer", "name": {"a": 1}}',
    "cut off by a quote": b'{"doctype": "Customer", "name": "Odd "U" Co"}',
    "no UTF-8": b'{"doctype": "Customer", "name": "\xff\xfe"}',
    "half a character": b'{"doctype": "Customer", "name": "\\ud83c"}',
    "a NUL": b'{"doctype": "Customer", "name": "A\\u0000B"}',
    "NULs": b"\0\0\0",
    "another DocType": b'{"doctype": "Supplier", "name": "Acme"}',
    "too deep": b"[" * 20_000,
    "long": json.dumps({"doctype": "Customer", "name": "x" * 300}).encode(),
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
def test_what_names_no_document_is_kept_with_the_reason(end: End, body: bytes) -> None:
    assert end.send(body).status == 200
    [(state, name, why, shown)] = end.rows("state, subject, error, body")
    assert (state, name) == ("unreadable", None)
    assert why
    assert len(shown) <= 2_000
    assert EAR.of(end.connection) == []


def test_any_doctype_has_an_address(end: End) -> None:
    for doctype in ("Supplier", "Sales Order", "Item", "Ünit of Things", "BOM"):
        assert end.tell(doctype, "X").status == 200
    assert [row[:2] for row in end.worked_off()] == [
        ("done", name) for name in ("Supplier", "Sales Order", "Item", "Ünit of Things", "BOM")
    ]


def test_rows_of_webhook_data_that_name_no_doctype_are_about_that_of_the_address(end: End) -> None:
    assert end.send(b'{"name": "Acme"}').status == 200
    assert end.worked_off() == [("done", "Customer", "Acme", "")]


def test_the_same_delivery_again_is_kept_once_and_another_version_is_not_the_same(end: End) -> None:
    for _ in range(3):
        assert end.tell(modified="2026-11-20 22:37:26.636065").status == 200
    assert end.tell(modified="2026-11-20 22:37:26.636066").status == 200
    assert len(end.worked_off()) == 2
    assert end.tell(modified="2026-11-20 22:37:26.636065").status == 200
    assert len(end.rows()) == 2
    # Without a version nobody can tell whether it changed again.
    assert [end.tell(name="Other").status for _ in range(2)] == [200, 200]
    assert len(end.rows()) == 4


def test_deliveries_that_come_at_once_are_all_kept(make_end: Callable[..., End]) -> None:
    ends = [make_end(uuid4().hex) for _ in range(3)]

    def tell(number: int) -> int:
        return ends[number % 3].tell(name=f"Customer {number}").status

    with ThreadPoolExecutor(16) as crowd:
        assert set(crowd.map(tell, range(300))) == {200}
    names = {row[2] for end in ends for row in end.rows()}
    assert names == {f"Customer {number}" for number in range(300)}


def test_one_whose_connection_was_deleted_is_refused_and_holds_nobody_up(
    make_end: Callable[..., End], api: Any
) -> None:
    gone, there = make_end(uuid4().hex), make_end(uuid4().hex)
    assert gone.tell().status == there.tell().status == 200
    assert api.delete(f"/api/connectors/{gone.slug}").status == 200
    with ThreadPoolExecutor(8) as crowd:  # in the same commits
        told = list(
            crowd.map(lambda n: (gone, there)[n % 2].tell(name=f"After {n}").status, range(40))
        )
    assert told == [401, 200] * 20
    assert len(there.rows()) == 21

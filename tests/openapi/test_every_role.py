"""Schemathesis asks the whole API, as people of every role and as nobody: whatever is asked, no
answer is a failure of the hub's own, and none is other than the OpenAPI says.

What it does not check: that generated data is taken (`positive_data_acceptance`) or refused
(`negative_data_rejection`), because what stands in the database decides that too; other methods
and missing tokens are test_hostile's and test_access's.
"""

import json
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from bascule.app import create_app
from bascule.inbox.frappe.signatures import SIGNATURE
from tests.kit.visitors import PASSWORD, Visitor, next_address
from tests.openapi.stage import ROLES, Person, Stage

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
# Whoever asks these: their right is the signature.
SIGNED = ("/api/webhooks/erpnext/{what}", "/api/webhooks/{source}/{address}")
RECORDS = ("customers", "suppliers")
ENDLESS = "/api/events"  # its answer has no end, so only its head is looked at
# Who asks these is signed out by them.
PARTING = {
    ("POST", "/api/auth/logout"),
    ("POST", "/api/auth/password"),
    ("POST", "/api/auth/refresh"),
}
SMALL = settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
CONFIG = schemathesis.Config()
CONFIG.projects.default.generation.with_security_parameters = False  # we say who asks
SCHEMA = schemathesis.openapi.from_dict(create_app().openapi(), config=CONFIG)


def understood(found: Any) -> Any:
    assert isinstance(found, Ok), found
    return found.ok()


OPERATIONS = [understood(found) for found in SCHEMA.get_all_operations()]


@pytest.mark.parametrize("role", [*ROLES, "nobody"])
@pytest.mark.parametrize(
    "operation", [one for one in OPERATIONS if one.path != ENDLESS], ids=lambda one: one.label
)
def test_every_answer_is_as_the_openapi_says(stage: Stage, operation: Any, role: str) -> None:
    takes_something = bool(list(operation.iter_parameters()) or list(operation.body))
    statuses: set[int] = set()
    with requests.Session() as session:

        def ask(case: Case[Any], real: bool) -> None:
            who = None if role == "nobody" else stage.people[role]
            if who and (case.method, case.path) in PARTING:
                who = stage.person(role)
            if who and real:
                name_what_is_there(stage, case, who)
            keep_off(stage, case)
            headers = {"X-Forwarded-For": next_address()}  # or it would be throttled
            if real and case.path in SIGNED and isinstance(case.body, dict):
                headers |= sign(stage, case)
            if "passkey" in case.path:  # a browser has them at a name alone
                headers["Host"] = urlsplit(stage.at_a_name).netloc
            if who:
                headers["Authorization"] = f"Bearer {who.bearer}"
            answer = case.call(stage.running.url, session, headers=headers, timeout=60)
            case.validate_response(answer, checks=CHECKS)
            statuses.add(answer.status_code)

        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)[: 1 + takes_something]:
            cases = operation.as_strategy(generation_mode=mode)
            real = st.sampled_from([True, True, True, False])
            SMALL(given(case=cases, real=real)(ask))()
    if role != "nobody":  # or all that follows would be about a token that opens nothing
        me = Visitor(stage.running.url, stage.people[role].bearer).get("/api/auth/me")
        assert me.status == 200, f"{role} was signed out"
    if role == "admin":  # what refuses everybody was not tried
        assert any(status < 300 for status in statuses), statuses


@pytest.mark.parametrize("role", ROLES)
def test_events_are_a_stream_and_for_nobody_a_refusal(stage: Stage, role: str) -> None:
    answer = Visitor(stage.running.url, stage.people[role].bearer).get(ENDLESS)
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert Visitor(stage.running.url).get(ENDLESS).status == 401


def sign(stage: Stage, case: Case[Any]) -> dict[str, str]:
    """As the site whose webhooks arrive there does it."""
    body = json.dumps(case.body).encode()
    case.query.pop("connection", None)
    case.headers.pop("X-Bascule-Connection", None)
    return {SIGNATURE: stage.signature(body)}


def name_what_is_there(stage: Stage, case: Case[Any], who: Person) -> None:
    """Ids and names that are there, and for what is taken away, ones that nobody else needs."""
    named, method = case.path_parameters, case.method
    spared = method in ("GET", "POST") or not named
    if "connector" in named:
        named["connector"] = stage.connector if spared else stage.connect(who)
        if case.path.endswith("/webhooks") and method == "DELETE" and who.role == "admin":
            by_hand = {"doctypes": ["Supplier"], "secret": f"made by hand {uuid4().hex}"}
            stage.set_up_webhooks(named["connector"], **by_hand)
    if "user" in named:
        named["user"] = who.id if method == "GET" else stage.nobody_special()
    if "/{user}/connections" in case.path:
        named["user"] = stage.nobody_active()
    if case.path.endswith("/left-off"):
        stage.leave_off()
    if "delivery" in named:
        named["delivery"] = stage.failed_delivery()
    if "write" in named:
        named["write"] = stage.write("written" if case.path.endswith("/undo") else "failed")
    if "cleanup" in named:
        named["cleanup"] = stage.cleanup()
    if "place" in named:
        named["place"] = stage.allowed_place()
    if "token" in named:
        named["token"] = stage.token_of(named.get("user", who.id))
    if case.path == "/api/auth/login":
        stage.set_up_factor(who.id, on=False, begun=False)
        stage.keep_few_passkeys(who.id)
    if case.path.endswith("/second-factor") and "user" in named:
        stage.set_up_factor(named["user"], on=True)
    elif "/second-factor" in case.path:
        setting_up = case.path.endswith("/confirm")
        first = method == "POST" and case.path.endswith("/second-factor")
        code = stage.set_up_factor(who.id, on=not setting_up and not first, begun=not first)
        if setting_up and isinstance(case.body, dict):
            case.body["code"] = code
    if case.path == "/api/auth/passkeys" and method == "POST" and isinstance(case.body, dict):
        case.body = {"name": "Any", "credential": stage.passkey_for(who)}
    elif case.path.endswith("/passkeys") and method == "DELETE":
        stage.add_passkey(named["user"])
    elif "passkey" in named:
        named["passkey"] = stage.add_passkey(who.id)
    if case.path.endswith("/provider") and method == "DELETE":
        stage.connect_provider(int(named.get("user", who.id)))
    if "session" in named:
        named["session"] = stage.sign_in_of(who.id)
    name_records_that_are_there(stage, case, who)
    for name, value in {
        "stream": "Supplier",
        "run": stage.runs[0],
        "relation": "inventory",
        "source": "erpnext",
        "doctype": "Supplier",
        "name": stage.supplier,
    }.items():
        if name in named:
            named[name] = value
    if "run" in named and case.path.endswith("/cancel"):
        named["run"] = stage.queued_run()
    if isinstance(case.body, dict):
        _fill(case.body, stage, who)
        if case.path.endswith("/allowed-sites"):
            case.body = {"address": "http://erp.internal:8000"}
        if case.path.endswith("/hand-over"):
            case.body = {"to": who.name}
        if case.path == "/api/auth/login":  # which takes one of two names
            case.body = {"username": who.name, "password": PASSWORD}
        if isinstance(case.body.get("username"), str):
            new = case.path == "/api/users"
            case.body["username"] = f"any-{uuid4().hex[:8]}" if new else who.name


def name_records_that_are_there(stage: Stage, case: Case[Any], who: Person) -> None:
    named, parts = case.path_parameters, case.path.split("/")
    records = next((one for one in RECORDS if one in parts[:3]), None)
    of_one = (f"/api/{records}", f"/api/{records}/{{number}}")
    if records and isinstance(case.body, dict) and case.path in of_one:
        # Hardly any made-up text is an e-mail address, a country or a version; and a new one could
        # belong to several connectors.
        which: dict[str, Any] = {"connector": stage.connector} if case.method == "POST" else {}
        by_id = case.method == "PUT" and case.path == of_one[0]
        which |= {"id": stage.record(records)} if by_id else {}
        case.body = {**which, "name": f"Acme {uuid4().hex[:8]}"}
    if records and parts[-1] == "join":
        named["number"] = stage.record_alone(records)
        if isinstance(case.body, dict):
            case.body = {"document": stage.document(records), "connector": stage.connector}
    elif records and "number" in named:
        states = {"field": "conflict", "conflicts": "conflict", "restore": "deleted"}
        state = states.get(parts[-1].strip("{}"), "")
        named["number"] = stage.record(records, "conflict" if case.method == "GET" else state)
        if "field" in named:
            named["field"] = "website"
        if "act" in named:
            named["number"] = stage.record(records, "attention")
            named["act"] = "retry"
    if "records" in named:
        named["records"] = "customers"
        if parts[-1] == "begin":
            named["connector"] = stage.connect(who)
        elif parts[-1] == "confirm" or case.method == "DELETE":
            named["connector"] = stage.begun(stage.connect(who), who)
        elif parts[-1] == "matches":
            named["connector"] = stage.matching
            if isinstance(case.body, dict):
                case.body |= {"id": stage.match(), "decision": "bring"}


def _fill(body: dict[str, Any], stage: Stage, who: Person) -> None:
    known = {
        **stage.way_in,
        "connector_id": stage.connector,
        "streams": ["suppliers"],
        "doctype": "Brand",
        "password": PASSWORD,
        "new_password": f"{PASSWORD} well",
        "old_password": PASSWORD,
        "refresh_token": who.refresh,
    }
    for name, value in known.items():
        if isinstance(body.get(name), type(value)):
            body[name] = value


def keep_off(stage: Stage, case: Case[Any]) -> None:
    """The people who ask, and what is not the API's to judge: waiting for a worker that is not
    there, and a head of a request over 64 KB, which the server refuses before anybody reads it.
    """
    if isinstance(case.body, dict):
        wait = case.body.get("wait")
        if isinstance(wait, int | float):
            case.body["wait"] = min(wait, 0)
    for name, value in case.query.items():
        if isinstance(value, str):
            case.query[name] = value[:2_000]
    if any(one.name == "wait" for one in case.operation.query):
        case.query["wait"] = 0  # also where it was left out: that is half a minute
    number = case.path_parameters.get("user")
    if case.method != "GET" and isinstance(number, int) and 0 < number <= stage.any_id:
        case.path_parameters["user"] = stage.nobody_special()

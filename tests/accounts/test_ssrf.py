"""Where the hub lets itself be sent by whoever types an address: not inside, by no way."""

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.accounts.conftest import connect
from tests.accounts.site import SomeSite, some_site
from tests.kit.api import Answer
from tests.kit.connecting import SETUP
from tests.kit.hub import RunningHub
from tests.kit.people import Make
from tests.kit.visitors import Visitor

PATH, TEST = "/api/auth/settings", "/api/auth/settings/erpnext/test"
NEVER = [
    "http://169.254.169.254/",
    "http://169.254.169.254.:80/",
    "http://[::ffff:169.254.169.254]/",
    "http://[fe80::1]/",
    "http://[fd00:ec2::254]/",
    "http://[fd00:42::42]/",
    "http://100.100.100.200/",
    "http://168.63.129.16/",
    "http://metadata.google.internal/",
    "http://2852039166/",
    "http://0xa9fea9fe/",
    "http://0251.0376.0251.0376/",
    "http://0.0.0.0/",
    "http://[::]/",
    "http://255.255.255.255/",
]
PRIVATE = [
    "https://10.0.0.5",
    "https://192.168.1.20",
    "https://[fd12:3456::1]",
    "https://172.16.9.9",
]
LOOPBACK = ["http://127.0.0.1:8003", "http://127.1", "http://localhost:5432", "http://[::1]:8003"]
Asks = Callable[[Visitor, str], Answer]


def by_settings(visitor: Visitor, url: str) -> Answer:
    """My own ERPNext: saved, and tried if it could be saved."""
    body = {"erpnext_url": url, "erpnext_api_key": "key", "erpnext_api_secret": "secret"}
    saved = visitor.put(PATH, body)
    return saved if saved.status != 200 else visitor.post(TEST)


def by_setup(visitor: Visitor, url: str) -> Answer:
    """A connection, which is tried before it is saved."""
    body = {"name": "x", "api_url": url, "api_key": "key", "api_secret": "secret"}
    return visitor.post(SETUP, {**body, "allow_http": True})


def by_change(visitor: Visitor, url: str) -> Answer:
    connection = connect(visitor)
    body = {"api_url": url, "api_key": "key", "api_secret": "secret", "allow_http": True}
    return visitor.patch(f"/api/connectors/{connection['slug']}", body)


ways = pytest.mark.parametrize("asks", [by_settings, by_setup, by_change])


def refused(answer: Answer) -> bool:
    """Not saved, or tried and not connected to."""
    told = answer.body.decode()
    if answer.status == 200:
        assert answer.json["success"] is False, told
    else:
        assert answer.status in (400, 422), told
    if "an admin has to allow it first" in told:
        return True
    return "may connect to" in told or "may not be connected to" in told or "no usable host" in told


@pytest.fixture
def editor(make_person: Make) -> Visitor:
    return make_person("editor").visit()


@pytest.fixture(autouse=True)
def _plain_http(running_hub: RunningHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or that alone would be why an address is refused."""
    monkeypatch.setattr(running_hub.hub.settings, "allow_http", True)


@pytest.fixture
def strict(running_hub: RunningHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Public addresses alone."""
    monkeypatch.setattr(running_hub.hub.settings, "allow_private_networks", False)
    monkeypatch.setattr(running_hub.hub.settings, "allow_loopback", False)


@pytest.fixture
def inner() -> Iterator[tuple[str, SomeSite]]:
    """A service on the hub's own machine."""
    with some_site() as running:
        yield running


@pytest.fixture
def site(inner: tuple[str, SomeSite], running_hub: RunningHub) -> tuple[str, SomeSite]:
    """One that an admin allowed."""
    running_hub.allow(inner[0])
    return inner


@pytest.fixture
def leads_to(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Names under .example.com lead there from now on; numbers and other names where they do."""
    real = socket.getaddrinfo

    def lead(address: str) -> None:
        def looked_up(host: Any, port: Any, *arguments: Any, **more: Any) -> Any:
            if not str(host).endswith("example.com"):
                return real(host, port, *arguments, **more)
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            where = (address, port, 0, 0) if ":" in address else (address, port)
            return [(family, socket.SOCK_STREAM, 6, "", where)]

        monkeypatch.setattr(socket, "getaddrinfo", looked_up)

    return lead


@ways
def test_link_local_and_metadata_addresses_are_refused_under_any_setting(
    asks: Asks, editor: Visitor
) -> None:
    for url in NEVER:
        answer = asks(editor, url)
        assert refused(answer), url
        assert answer.status != 200, url  # not even saved, or looked up


@ways
def test_private_networks_and_this_machine_are_refused_by_their_settings(
    asks: Asks, editor: Visitor, strict: None
) -> None:
    if asks is by_change:  # which begins with an address that this refuses as well
        asks = by_setup
    for url in (*PRIVATE, *LOOPBACK):
        assert refused(asks(editor, url)), url


@ways
@pytest.mark.parametrize("address", ["169.254.169.254", "fd00:ec2::254", "0.0.0.0"])
def test_a_name_that_leads_to_such_an_address_is_not_connected_to(
    asks: Asks, editor: Visitor, leads_to: Callable[[str], None], address: str
) -> None:
    leads_to(address)
    assert refused(asks(editor, "http://erp.example.com")), address
    assert refused(asks(editor, "https://erp.example.com")), address


@pytest.mark.parametrize("asks", [by_settings, by_setup])
def test_a_name_that_leads_to_this_machine_is_not_connected_to_by_the_setting(
    asks: Asks,
    editor: Visitor,
    strict: None,
    leads_to: Callable[[str], None],
    site: tuple[str, SomeSite],
) -> None:
    url, there = site
    leads_to("127.0.0.1")
    assert refused(asks(editor, f"http://erp.example.com:{url.rpartition(':')[2]}"))
    assert there.seen == []


def not_allowed(answer: Answer, field: str = "api_url") -> bool:
    assert answer.status == 422, answer.body
    assert answer.json["fields"] == {
        field: "is in the hub's own network; an admin has to allow it first"
    }
    assert "'bascule sites allow http://" in answer.json["next_step"]
    return True


@ways
@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "0x7f.1", "[::ffff:127.0.0.1]", "erp.example.com"]
)
def test_a_service_of_the_hubs_machine_is_read_by_nobody_whom_no_admin_lets(
    asks: Asks,
    editor: Visitor,
    make_person: Make,
    inner: tuple[str, SomeSite],
    leads_to: Callable[[str], None],
    host: str,
) -> None:
    leads_to("127.0.0.1")
    (url, there), field = inner, "erpnext_url" if asks is by_settings else "api_url"
    there.says(200, {"message": "what the service keeps"})
    address = f"http://{host}:{url.rpartition(':')[2]}"
    assert not_allowed(asks(editor, address), field)
    assert there.seen == []
    if asks is by_settings:  # and by one who is an admin now
        assert asks(make_person("admin").visit(), address).json["success"] is True


@pytest.mark.parametrize("host", ["127.0.0.1", "erp.example.com"])
def test_nor_by_a_connection_that_is_not_tried_and_leads_there_later(
    editor: Visitor, inner: tuple[str, SomeSite], leads_to: Callable[[str], None], host: str
) -> None:
    url, there = inner
    address = f"http://{host}:{url.rpartition(':')[2]}"
    body: dict[str, Any]
    body = {"name": "x", "api_url": address, "api_key": "key", "api_secret": "secret"}
    body |= {"allow_http": True}
    leads_to("93.184.216.34")
    untried = {"test_connection": False, "start_sync": False}
    made = editor.post(SETUP, body | untried)
    if host == "127.0.0.1":
        assert not_allowed(made)
        return
    assert made.status == 201
    leads_to("127.0.0.1")
    assert editor.post(f"/api/connectors/{made.json['slug']}/test").json["ok"] is False
    assert not_allowed(editor.patch(f"/api/connectors/{made.json['slug']}", body))
    assert there.seen == []


def test_what_an_admin_connects_or_allows_editors_may_connect_to_until_it_is_taken_back(
    editor: Visitor, make_person: Make, inner: tuple[str, SomeSite]
) -> None:
    (url, there), admin = inner, make_person("admin").visit()
    place = url.removeprefix("http://")
    assert editor.get("/api/allowed-sites").status == 403
    assert editor.post("/api/allowed-sites", {"address": url}).status == 403
    connect(admin, api_url=url)
    places = [one["place"] for one in admin.get("/api/allowed-sites").json["sites"]]
    assert place in places
    assert by_settings(editor, url).json["success"] is True
    saved = connect(editor, api_url=url)
    before = len(there.seen)
    assert admin.ask("DELETE", f"/api/allowed-sites/{place}").status == 200
    assert admin.ask("DELETE", f"/api/allowed-sites/{place}").status == 404
    assert editor.post(f"/api/connectors/{saved['slug']}/test").json["ok"] is False
    assert len(there.seen) == before
    assert admin.post("/api/allowed-sites", {"address": "no address"}).status == 422
    assert admin.post("/api/allowed-sites", {"address": url}).status == 201
    editor.post(f"/api/connectors/{saved['slug']}/test")
    assert len(there.seen) > before


def test_of_a_refusal_no_more_is_shown_than_frappe_says(
    editor: Visitor, site: tuple[str, SomeSite]
) -> None:
    url, there = site
    for status, body in (
        (403, {"error": "index is closed", "root": "what is inside"}),
        (403, {"exc_type": "PermissionError", "root": "what is inside"}),
        (500, {"exc_type": {"a": "what is inside"}, "errors": ["what is inside"]}),
    ):
        there.says(status, body)
        for answer in (by_settings(editor, url), by_setup(editor, url)):
            assert b"what is inside" not in answer.body
            assert b"index is closed" not in answer.body


@ways
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_wherever_it_leads(
    asks: Asks, editor: Visitor, site: tuple[str, SomeSite], status: int
) -> None:
    url, there = site
    with some_site() as (inner_url, inner):
        inner.says(200, {"message": "what is inside"})
        for target in (f"{inner_url}/latest/meta-data", "http://169.254.169.254/latest/meta-data"):
            there.says(status, "", Location=target)
            answer = asks(editor, url)
            assert answer.status in (200, 400)
            assert answer.status == 400 or answer.json["success"] is False
            assert b"what is inside" not in answer.body
        assert inner.seen == []


def test_an_address_that_was_allowed_when_it_was_saved_is_asked_about_again(
    editor: Visitor, site: tuple[str, SomeSite], running_hub: RunningHub, monkeypatch: Any
) -> None:
    url, there = site
    assert by_settings(editor, url).json["success"] is True
    saved = connect(editor, api_url=url)
    before = len(there.seen)
    monkeypatch.setattr(running_hub.hub.settings, "allow_loopback", False)
    assert refused(editor.post(TEST))
    assert editor.post(f"/api/connectors/{saved['slug']}/test").json["ok"] is False
    assert len(there.seen) == before


def test_a_secret_goes_to_no_other_address_than_it_was_given_for(
    editor: Visitor, site: tuple[str, SomeSite]
) -> None:
    url, there = site
    saved = connect(editor)
    answer = editor.patch(f"/api/connectors/{saved['slug']}", {"api_url": url})
    assert answer.status == 422
    assert set(answer.json["fields"]) == {"api_key", "api_secret"}
    assert there.seen == []

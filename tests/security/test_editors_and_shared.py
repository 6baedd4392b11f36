"""An editor turns a connection that all share to where, and to what, they like."""

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from bascule.sandbox import SandboxThread
from tests.kit import connecting
from tests.kit.api import Answer, Api
from tests.kit.database import FreshSettings
from tests.kit.hub import RunningHub


@pytest.fixture(scope="module")
def hub(fresh_settings: FreshSettings) -> Iterator[RunningHub]:
    with fresh_settings() as settings, RunningHub(settings, worker=False) as running:
        yield running


@pytest.fixture(scope="module")
def site(erpnext_snapshot: Any) -> Iterator[Any]:
    with SandboxThread(erpnext_snapshot) as running:
        yield running


def connect(api: Api, site: Any, *streams: str) -> str:
    made = connecting.connect(api, site, streams=["Warehouse", *streams])
    return f"/api/connectors/{made['slug']}"


@pytest.fixture(scope="module")
def admin(hub: RunningHub) -> Api:
    return hub.somebody("admin")


@pytest.fixture(scope="module")
def editor(hub: RunningHub) -> Api:
    return hub.somebody("editor")


@pytest.fixture(scope="module")
def shared(admin: Api, site: Any) -> str:
    at = connect(admin, site, "User")
    made = admin.ask("PUT", f"{at}/webhooks", {"doctypes": ["Customer"], "events": ["update"]})
    assert made.status == 200, made.body
    return at


@pytest.fixture(scope="module")
def private(editor: Api, site: Any) -> str:
    return connect(editor, site)


def forbidden(answer: Answer) -> None:
    assert answer.status == 403, answer.body
    assert "admin" in answer.json["next_step"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "", {"doctypes": ["Customer"], "base_url": "https://evil.example.com"}),
        ("PUT", "", {"doctypes": ["Customer"], "secret": "known to the attacker"}),
        ("PUT", "", {"doctypes": ["User", "Communication"]}),
        ("POST", "/rotate", {"secret": "known to the attacker"}),
        ("POST", "/rotate", None),
        ("DELETE", "", None),
    ],
)
def test_pointing_shared_webhooks_elsewhere_and_signing_them_as_one_likes(
    admin: Api, editor: Api, shared: str, method: str, path: str, body: Any
) -> None:
    before = admin.get(f"{shared}/webhooks").json
    forbidden(editor.ask(method, f"{shared}/webhooks{path}", body))
    assert admin.get(f"{shared}/webhooks").json == before
    assert editor.post(f"{shared}/webhooks/check").status == 200
    assert editor.post(f"{shared}/webhooks/mend").status == 200


@pytest.mark.parametrize("doctype", ["User", "Communication", "user", "Employee", "No Such Thing"])
def test_adding_any_doctype_to_a_shared_mirror(
    admin: Api, editor: Api, shared: str, doctype: str
) -> None:
    before = admin.get(f"{shared}/streams").json
    answer = editor.post(f"{shared}/streams", {"doctype": doctype})
    assert answer.status in (403, 422), answer.body
    if doctype == "User":
        forbidden(answer)
    assert admin.get(f"{shared}/streams").json["streams"][0] == before["streams"][0]
    names = [stream["doctype"] for stream in admin.get(f"{shared}/streams").json["streams"]]
    assert names == [stream["doctype"] for stream in before["streams"]]


@pytest.mark.parametrize("change", [{"enabled": True}, {"omit": []}, {"filters": []}])
def test_showing_more_of_what_an_admin_mirrors(editor: Api, shared: str, change: Any) -> None:
    forbidden(editor.patch(f"{shared}/streams/User", change))


def test_the_same_by_the_command_line_with_ones_token(
    hub: RunningHub, admin: Api, editor: Api, shared: str
) -> None:
    assert hub.settings.database_url is not None and editor.token is not None
    environment = {k: v for k, v in os.environ.items() if not k.startswith("BASCULE_")} | {
        "BASCULE_DATA_DIR": str(hub.settings.data_dir),
        "BASCULE_DATABASE_URL": hub.settings.database_url.get_secret_value(),
        "BASCULE_TOKEN": editor.token,
    }
    at = ["--connection", shared.rpartition("/")[2]]
    before = admin.get(f"{shared}/webhooks").json
    for words in (
        ["streams", "add", "Communication", *at],
        ["streams", "omit", "User", *at],
        ["webhooks", "set-up", "--url", "https://evil.example.com", *at],
    ):
        said = subprocess.run(
            [sys.executable, "-m", "bascule", *words],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert said.returncode != 0, said.stdout
        assert "admin" in said.stderr
    assert admin.get(f"{shared}/webhooks").json == before


def test_an_editor_still_adds_what_trade_is_made_of_and_rules_their_own(
    editor: Api, shared: str, private: str
) -> None:
    added = editor.post(f"{shared}/streams", {"doctype": "Brand"})
    assert added.status == 201, added.body
    assert editor.post(f"{shared}/streams", {"doctype": "customers"}).status == 201
    assert editor.patch(f"{shared}/streams/Brand", {"enabled": False}).status == 200
    assert editor.post(f"{private}/streams", {"doctype": "User"}).status == 201
    order = {"doctypes": ["Customer"], "events": ["update"]}
    assert editor.ask("PUT", f"{private}/webhooks", order).status == 200
    assert editor.post(f"{private}/webhooks/rotate").status == 200
    assert editor.delete(f"{private}/webhooks").status == 200


@pytest.mark.parametrize(
    "base_url",
    [
        "http://169.254.169.254",
        "http://[::ffff:169.254.169.254]",
        "http://2852039166",
        "http://metadata.google.internal",
        "http://100.100.100.200:8003",
        "http://0.0.0.0:8003",
    ],
)
def test_having_a_site_send_to_where_the_hub_may_not_connect(
    editor: Api, private: str, base_url: str
) -> None:
    answer = editor.ask("PUT", f"{private}/webhooks", {"base_url": base_url})
    assert (answer.status, list(answer.json["fields"])) == (422, ["base_url"])
    assert "may not connect" in answer.json["detail"]

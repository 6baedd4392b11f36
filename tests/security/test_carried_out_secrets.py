"""Who may write changes the address that stands beside a stored secret, to be sent the secret."""

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import select

from bascule.errors import Invalid
from bascule.sandbox import SandboxThread
from bascule.store.address_binding import sealed_columns
from bascule.store.base import Base
from bascule.store.key_rotation import encrypted_columns
from tests.accounts.site import SomeSite, some_site
from tests.kit.api import Api
from tests.kit.connecting import connect
from tests.kit.database import FreshSettings
from tests.kit.hub import RunningHub

SETTINGS, SECRET = "/api/auth/settings", "supersecretvalue"
PLACES = {
    "erpnext": ("erpnext_url", "erpnext_api_key", "erpnext_api_secret"),
    "nextcloud": ("nextcloud_url", "nextcloud_username", "nextcloud_password"),
}
places = pytest.mark.parametrize("place", PLACES)
# Columns that are named like a secret, and hold none that could be sent anywhere.
NO_SECRETS = {
    "api_key_ends_with",  # four characters, to tell it by
    "erpnext_api_key",  # a name, public by seed 002
    "key",  # of who tries to sign in, and of a record
    "public_key",  # of a passkey
    "sent_key_field",  # the name of a field
    "token",  # in the address of webhooks, public
}
HASHED = ("_hash",)


@pytest.fixture(scope="module")
def hub(fresh_settings: FreshSettings) -> Iterator[RunningHub]:
    """A hub with everything in it that is kept encrypted."""
    with fresh_settings() as settings, RunningHub(settings, worker=False) as running:
        yield running


@pytest.fixture(scope="module")
def site(hub: RunningHub, erpnext_snapshot: Any) -> Iterator[Any]:
    with SandboxThread(erpnext_snapshot) as running:
        hub.allow(running.url)
        yield running


@pytest.fixture(scope="module")
def admin(hub: RunningHub) -> Api:
    return hub.somebody("admin")


@pytest.fixture(scope="module")
def shop(admin: Api, site: Any) -> Any:
    """A connection with webhooks on its site."""
    made = connect(admin, site, name="The Shop", streams=["Warehouse"])
    webhooks = admin.ask("PUT", f"/api/connectors/{made['slug']}/webhooks", ONLY_CUSTOMERS)
    assert webhooks.status == 200, webhooks.body
    _left_behind(admin, site)
    return made


def _left_behind(admin: Api, site: Any) -> None:
    """A connection deleted while its site did not answer: what it left there waits for that."""
    made = connect(admin, site, name="Left behind", streams=["Warehouse"])
    at = f"/api/connectors/{made['slug']}"
    assert admin.ask("PUT", f"{at}/webhooks", ONLY_CUSTOMERS).status == 200
    site.faults.add("maintenance")
    assert admin.delete(at).json["cleanup"]["next_try_at"]
    site.faults.clear()


ONLY_CUSTOMERS = {"doctypes": ["Customer"], "events": ["update"]}


@pytest.fixture
def attacker(hub: RunningHub) -> Iterator[tuple[str, SomeSite]]:
    """One whose address would be taken."""
    with some_site() as running:
        hub.allow(running[0])
        yield running


@pytest.fixture
def victim(hub: RunningHub) -> Api:
    """Somebody whose token for writing was stolen; their secrets stand beside their addresses."""
    hub.allow("http://localhost:1")
    hub.allow("http://localhost:2")
    api = hub.somebody("editor")
    for url, name, secret in PLACES.values():
        kept = {url: "http://localhost:1/folder", name: "name", secret: SECRET}
        assert api.ask("PUT", SETTINGS, kept).status == 200
    return api


def refused(answer: Any, secret: str) -> None:
    assert answer.status == 422, answer.body
    assert list(answer.json["fields"]) == [secret]
    assert "not sent to it" in answer.json["detail"]
    assert "together with the new address" in answer.json["next_step"]


@places
def test_changing_only_the_address_of_ones_own_settings(
    victim: Api, attacker: tuple[str, SomeSite], place: str
) -> None:
    url, name, secret = PLACES[place]
    before = victim.get(SETTINGS).json
    for elsewhere in (
        attacker[0],
        "https://localhost:1/folder",
        "http://localhost:2/folder",
        "http://localhost:1/somebody-elses",
        "http://localhost:1",
        "http://localhost.:1/folder",
    ):
        refused(victim.ask("PUT", SETTINGS, {url: elsewhere}), secret)
        refused(victim.ask("PUT", SETTINGS, {url: elsewhere, name: "mine"}), secret)
    assert victim.get(SETTINGS).json == before
    # The same place in other letters is no other address; nor is what clears the secret a theft.
    assert victim.ask("PUT", SETTINGS, {url: "HTTP://LocalHost:1/folder/"}).status == 200
    assert victim.ask("PUT", SETTINGS, {url: attacker[0], secret: ""}).status == 200
    assert victim.get(SETTINGS).json[f"{secret}_set"] is False


@places
def test_clearing_the_address_first_and_giving_another_one_then(
    victim: Api, attacker: tuple[str, SomeSite], place: str
) -> None:
    url, _, secret = PLACES[place]
    assert victim.ask("PUT", SETTINGS, {url: ""}).status == 200
    refused(victim.ask("PUT", SETTINGS, {url: attacker[0]}), secret)
    with_it = victim.ask("PUT", SETTINGS, {url: attacker[0], secret: "another"})
    assert with_it.status == 200


def test_having_the_connection_tested_at_another_address(
    victim: Api, attacker: tuple[str, SomeSite]
) -> None:
    address, there = attacker
    victim.ask("PUT", SETTINGS, {"erpnext_url": address})
    victim.post(f"{SETTINGS}/erpnext/test")
    victim.ask("PUT", SETTINGS, {"erpnext_url": ""})
    victim.ask("PUT", SETTINGS, {"erpnext_url": address})
    victim.post(f"{SETTINGS}/erpnext/test")
    assert there.seen == []


def test_moving_a_connection_with_the_command_line(
    hub: RunningHub, shop: Any, attacker: tuple[str, SomeSite]
) -> None:
    address, there = attacker
    assert hub.settings.database_url is not None
    environment = {k: v for k, v in os.environ.items() if not k.startswith("BASCULE_")} | {
        "BASCULE_DATA_DIR": str(hub.settings.data_dir),
        "BASCULE_DATABASE_URL": hub.settings.database_url.get_secret_value(),
    }
    command = [sys.executable, "-m", "bascule", "change", shop["slug"], "--url", address]
    for more in ([], ["--no-check"]):
        said = subprocess.run(
            [*command, *more], env=environment, capture_output=True, text=True, check=False
        )
        assert said.returncode != 0
        assert "Another address wants its own credentials" in said.stderr
    assert there.seen == []


def test_moving_a_connection_with_ones_own_credentials_to_be_told_its_webhooks_secret(
    hub: RunningHub, admin: Api, shop: Any, site: Any
) -> None:
    at = f"/api/connectors/{shop['slug']}"
    before = webhook_secrets(hub, shop)
    way_in = {"api_key": site.api_key, "api_secret": site.api_secret}
    elsewhere = site.url.replace("127.0.0.1", "localhost")
    moved = admin.patch(at, {"api_url": elsewhere, **way_in})
    assert moved.status == 200, moved.body
    assert admin.post(f"{at}/webhooks/mend").status == 200
    after = webhook_secrets(hub, shop)
    assert before[0] not in after
    # The second one belongs to where the connection is now, and goes to no third place.
    assert admin.patch(at, {"api_url": site.url, **way_in}).status == 200
    assert admin.ask("PUT", f"{at}/webhooks", ONLY_CUSTOMERS).status == 200
    assert not {*before, *after} & {*webhook_secrets(hub, shop)}


def webhook_secrets(hub: RunningHub, shop: Any) -> list[str]:
    """All that are accepted."""
    found = sql(
        hub,
        "SELECT secret_encrypted, previous_encrypted FROM bascule.webhook_ends"
        " WHERE connection_id = %s",
        [shop["id"]],
    )
    return [hub.hub.vault.decrypt(text) for text in found[0] if text]


BESIDE_ADDRESSES = [
    (table.name, column.name)
    for table in Base.metadata.sorted_tables
    for column in sealed_columns(table)
]


@pytest.mark.parametrize(("table", "column"), BESIDE_ADDRESSES)
def test_writing_another_address_beside_any_secret(
    hub: RunningHub, victim: Api, shop: Any, table: str, column: str
) -> None:
    """Whatever face forgets to ask: what writes the row refuses. A secret that is new here needs a
    row in the fixtures above.
    """
    (mapper,) = (m for m in Base.registry.mappers if m.local_table.name == table)  # type: ignore[attr-defined]
    beside = mapper.columns[column].info["beside"]
    if column == "previous_encrypted":
        assert hub.run(_rotated(hub, shop))
    kept = mapper.columns[column]

    async def written() -> None:
        async with hub.hub.db.session() as session:
            row = await session.scalar(select(mapper.class_).where(kept.is_not(None)).limit(1))
            assert row is not None, f"no {table}.{column} is made by the fixtures of this test"
            setattr(row, beside, f"https://{uuid4().hex}.example.com")

    with pytest.raises(Invalid) as caught:
        hub.run(written())
    assert column.removesuffix("_encrypted") in caught.value.fields


async def _rotated(hub: RunningHub, shop: Any) -> bool:
    from bascule.connections.queries import find_connection
    from bascule.inbox.frappe.site.setup import rotate

    async with hub.hub.db.session() as session:
        connection = await find_connection(session, shop["id"], None)
        session.expunge(connection)
    await rotate(hub.hub, connection, by=None)
    return True


def test_no_secret_is_kept_that_belongs_to_no_address(
    hub: RunningHub, victim: Api, shop: Any
) -> None:
    """By what columns are called, and by what is in them."""
    sealed = set(encrypted_columns())
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            if (table.name, column.name) in sealed:
                if "beside" in column.info:  # or it is sent nowhere
                    assert column.info["beside"] in table.columns
            elif "made_here" in column.info:
                continue  # the hub's own, which is sent nowhere
            elif any(word in column.name for word in ("secret", "password", "token", "key")):
                assert column.name in NO_SECRETS or column.name.endswith(HASHED), (
                    f"{table.name}.{column.name}: info=encrypted(...), or say why not"
                )
            elif column.type.python_type is str:
                found = sql(
                    hub,
                    f'SELECT 1 FROM bascule."{table.name}" WHERE "{column.name}" LIKE %s LIMIT 1',
                    ["gAAAA%"],
                )
                assert not found, f"{table.name}.{column.name} holds what is encrypted, unmarked"


def sql(hub: RunningHub, statement: str, values: list[Any]) -> list[tuple[Any, ...]]:
    assert hub.settings.database_url is not None
    with psycopg.connect(hub.settings.database_url.get_secret_value(), autocommit=True) as conn:
        return conn.execute(statement.encode(), values).fetchall()

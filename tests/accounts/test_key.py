"""The secret key: changed while the hub runs, cut off in the middle and run again."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from bascule.accounts.people import users
from bascule.accounts.settings.integration import change_settings
from bascule.accounts.sign_in.bearer_tokens import start_family, user_of_access_token
from bascule.accounts.tables import User
from bascule.errors import Conflict, Invalid
from bascule.hub import Hub, open_hub
from bascule.settings import Settings
from bascule.sites.fields import NewConnection
from bascule.sites.service import connect_site
from bascule.store.errors import WrongKey
from bascule.store.key_rotation import encrypted_columns, rotate
from bascule.store.vault import Vault, load_vault, make_key
from tests.kit.waiting import until

SECRET = "s3cret-of-number"
PEOPLE = 250  # more than two batches
ALL = 2 * PEOPLE


@pytest.fixture
def kept(database_url: str, tmp_path: Path) -> Settings:
    """A hub whose key is in its folder."""
    return Settings(data_dir=tmp_path, database_url=database_url)  # type: ignore[arg-type]


@pytest.fixture
async def hub(kept: Settings) -> AsyncIterator[Hub]:
    async with open_hub(kept) as opened:
        yield opened


def key_file(settings: Settings) -> list[str]:
    return (settings.data_dir / "secret.key").read_text().split()


def fill(settings: Settings, vault: Vault) -> None:
    """People with secrets, as many as take a while."""
    rows = [
        (f"person-{number}", vault.encrypt(f"{SECRET} {number}"), vault.encrypt("cloud"))
        for number in range(PEOPLE)
    ]
    assert settings.database_url is not None
    with psycopg.connect(settings.database_url.get_secret_value()) as conn:
        conn.cursor().executemany(
            "INSERT INTO bascule.users (username, erpnext_api_secret, nextcloud_password)"
            " VALUES (%s, %s, %s)",
            rows,
        )


def stored(settings: Settings) -> list[tuple[str, str, str]]:
    assert settings.database_url is not None
    with psycopg.connect(settings.database_url.get_secret_value()) as conn:
        return conn.execute(
            "SELECT username, erpnext_api_secret, nextcloud_password FROM bascule.users"
            " WHERE erpnext_api_secret IS NOT NULL ORDER BY id"
        ).fetchall()


def opened_by(vault: Vault, rows: list[tuple[str, str, str]]) -> int:
    """How many of the secrets in them this opens, and rightly so."""
    count = 0
    for name, secret, password in rows:
        number = name.partition("-")[2]
        for text, plain in ((secret, f"{SECRET} {number}"), (password, "cloud")):
            try:
                assert vault.decrypt(text) == plain
                count += 1
            except WrongKey:
                continue
    return count


async def test_a_new_key_in_the_folder_opens_everything_and_the_old_one_nothing(
    hub: Hub, kept: Settings
) -> None:
    fill(kept, hub.vault)
    new = NewConnection(
        name="Shop",
        api_url="http://127.0.0.1:1",
        api_key="k3y-of-the-shop",
        api_secret="s3cret-of-the-shop",
    )
    connection, _ = await connect_site(hub, new, by=None, test=False)
    (old,) = key_file(kept)
    done = await rotate(hub.db, hub.vault)
    (now,) = key_file(kept)
    assert now != old
    assert (kept.data_dir / "secret.key").stat().st_mode & 0o777 == 0o600
    assert (done.renewed, done.already, done.lost) == (ALL + 2, 0, [])
    rows = stored(kept)
    assert opened_by(Vault(now), rows) == ALL
    assert opened_by(Vault(old), rows) == 0
    async with hub.db.session() as session:
        await session.refresh(merged := await session.merge(connection))
        assert hub.vault.decrypt(merged.api_secret_encrypted) == "s3cret-of-the-shop"
        assert hub.vault.decrypt(merged.api_key_encrypted) == "k3y-of-the-shop"
    # This hub, and any other process of it, went over without being told.
    assert hub.vault.newest == now == load_vault(kept).newest


def test_every_secret_that_is_stored_is_renewed() -> None:
    assert set(encrypted_columns()) >= {
        ("users", "erpnext_api_secret"),
        ("users", "nextcloud_password"),
        ("connections", "api_key_encrypted"),
        ("connections", "api_secret_encrypted"),
    }


def start_rotation(settings: Settings, **more: str) -> "subprocess.Popen[str]":
    assert settings.database_url is not None
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("BASCULE_")
    }
    environment |= {
        "BASCULE_DATA_DIR": str(settings.data_dir),
        "BASCULE_DATABASE_URL": settings.database_url.get_secret_value(),
        **more,
    }
    return subprocess.Popen(
        [sys.executable, "-m", "bascule", "rotate-key", "--json"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.kills
async def test_killed_in_the_middle_both_keys_open_everything_and_the_next_run_ends_it(
    hub: Hub, kept: Settings
) -> None:
    fill(kept, hub.vault)
    (old,) = key_file(kept)
    assert kept.database_url is not None
    with psycopg.connect(kept.database_url.get_secret_value()) as holding:
        # One row that it has to wait for, behind two batches that it has done by then.
        holding.execute(
            "SELECT 1 FROM bascule.users WHERE username = %s FOR UPDATE", [f"person-{PEOPLE - 1}"]
        )
        process = start_rotation(kept)
        await asyncio.to_thread(until, lambda: process.poll() is not None or waits_for(kept))
        assert process.poll() is None, process.communicate()
        with pytest.raises(Conflict, match="by somebody else"):
            await rotate(hub.db, hub.vault)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    await asyncio.to_thread(until, lambda: not waits_for(kept))
    now, before = key_file(kept)
    assert before == old
    rows = stored(kept)
    done = opened_by(Vault(now), rows)
    assert 0 < done < ALL
    assert opened_by(load_vault(kept), rows) == ALL
    # Meanwhile the hub saves under the new one.
    async with hub.db.session() as session:
        user = await users.find_person(session, "person-7")
        session.expunge(user)
    await change_settings(hub, user, {"erpnext_api_secret": f"{SECRET} 7"})
    saved = next(secret for name, secret, _ in stored(kept) if name == "person-7")
    assert Vault(now).decrypt(saved) == f"{SECRET} 7"
    # Run again it goes on with the same new key, and forgets the old one at its end.
    finished = await rotate(hub.db, hub.vault)
    assert finished.lost == []
    assert finished.already >= done
    assert key_file(kept) == [now]
    assert opened_by(Vault(now), stored(kept)) == ALL


def waits_for(settings: Settings) -> bool:
    assert settings.database_url is not None
    with psycopg.connect(settings.database_url.get_secret_value()) as conn:
        found = conn.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND wait_event_type = 'Lock' AND query LIKE '%FOR UPDATE%'"
        ).fetchone()
    return bool(found and found[0])


async def test_a_key_from_the_environment_is_gone_over_to_with_both_set(
    database_url: str, tmp_path: Path
) -> None:
    old, new = make_key(), make_key()
    values = {"data_dir": tmp_path, "database_url": database_url}
    before = Settings.model_validate({**values, "secret_key": old})
    both = Settings.model_validate({**values, "secret_key": new, "secret_key_previous": old})
    after = Settings.model_validate({**values, "secret_key": new})
    fill(before, load_vault(before))
    async with open_hub(before) as hub:
        with pytest.raises(Invalid, match="BASCULE_SECRET_KEY_PREVIOUS"):
            await rotate(hub.db, hub.vault)
    async with open_hub(both) as hub:
        assert opened_by(hub.vault, stored(both)) == ALL
        async with hub.db.session() as session:
            user = await users.find_person(session, "person-3")
            session.expunge(user)
        await change_settings(hub, user, {"erpnext_api_secret": f"{SECRET} 3"})
        done = await rotate(hub.db, hub.vault)
        assert (done.renewed, done.already) == (ALL - 1, 1)
        assert (await rotate(hub.db, hub.vault)).renewed == 0
    assert opened_by(load_vault(after), stored(after)) == ALL
    assert opened_by(load_vault(before), stored(after)) == 0
    assert not (tmp_path / "secret.key").exists()


async def test_what_no_key_opens_is_named_and_does_not_hold_the_rest_up(
    hub: Hub, kept: Settings
) -> None:
    fill(kept, hub.vault)
    strange = Vault("another key altogether").encrypt("lost")
    async with hub.db.connection() as conn:
        found = await conn.execute(
            "UPDATE bascule.users SET erpnext_api_secret = %s WHERE username = 'person-5'"
            " RETURNING id",
            [strange],
        )
        row = await found.fetchone()
    assert row is not None
    done = await rotate(hub.db, hub.vault)
    assert done.lost == [f"users {row[0]}: erpnext_api_secret"]
    assert done.renewed == ALL - 1
    process = start_rotation(kept)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert '"lost": [' in out
    assert strange not in out


async def test_access_tokens_end_with_their_key_and_refresh_tokens_do_not(
    hub: Hub, kept: Settings
) -> None:
    from bascule.accounts.sign_in.bearer_tokens import refresh

    async with hub.db.session() as session:
        user = User(username="anna", role="viewer")
        session.add(user)
        await session.flush()
        issued = await start_family(hub, session, user)
        assert await user_of_access_token(hub, session, issued.access_token)
    await rotate(hub.db, hub.vault)
    async with hub.db.session() as session:
        assert await user_of_access_token(hub, session, issued.access_token) is None
    _, renewed = await refresh(hub, issued.refresh_token)
    async with hub.db.session() as session:
        assert await user_of_access_token(hub, session, renewed.access_token)

"""Secrets at rest."""

import base64
import hashlib
import os
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from bascule.settings import Settings
from bascule.store.errors import WrongKey
from bascule.store.vault import Vault, load_vault


def test_a_secret_comes_back_and_cannot_be_read_in_between() -> None:
    vault = Vault("a key")
    stored = vault.encrypt("s3cret")
    assert "s3cret" not in stored
    assert stored != vault.encrypt("s3cret")
    assert Vault("a key").decrypt(stored) == "s3cret"


def test_the_key_is_the_sha256_of_the_setting() -> None:
    """So that another program with the same key can read what is stored."""
    key = base64.urlsafe_b64encode(hashlib.sha256(b"a key").digest())
    assert Fernet(key).decrypt(Vault("a key").encrypt("s3cret").encode()) == b"s3cret"


def test_when_a_secret_was_given_is_known_and_survives_another_key() -> None:
    given = datetime(2025, 11, 20, 12, tzinfo=UTC)
    key = base64.urlsafe_b64encode(hashlib.sha256(b"a key").digest())
    stored = Fernet(key).encrypt_at_time(b"s3cret", int(given.timestamp())).decode()
    both = Vault("a new key", "a key")
    renewed = both.renewed(stored)
    assert renewed != stored
    assert Vault("a new key").decrypt(renewed) == "s3cret"
    assert both.encrypted_at(stored) == both.encrypted_at(renewed) == given
    assert datetime.now(UTC) - both.encrypted_at(both.encrypt("x")) < timedelta(minutes=1)
    with pytest.raises(WrongKey):
        Vault("another").encrypted_at(stored)


def test_a_changed_key_is_explained_and_shows_nothing() -> None:
    stored = Vault("a key").encrypt("s3cret")
    with pytest.raises(WrongKey, match="another key") as refused:
        Vault("a new key").decrypt(stored)
    assert "BASCULE_SECRET_KEY" in refused.value.next_step
    assert stored not in str(refused.value)
    assert refused.value.__suppress_context__


def test_without_a_key_one_is_made_and_kept(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    stored = load_vault(settings).encrypt("s3cret")
    path = tmp_path / "data" / "secret.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_vault(settings).decrypt(stored) == "s3cret"
    assert len(list(path.parent.iterdir())) == 1


def test_processes_that_make_a_key_together_agree(tmp_path: Path) -> None:
    script = (
        "from bascule.store.vault import load_vault; from bascule.settings import Settings\n"
        "import sys\n"
        "sys.stdin.readline()\n"
        "print(load_vault(Settings()).encrypt('s3cret'))"
    )
    racing = [
        subprocess.Popen(
            [sys.executable, "-c", script],
            env={**os.environ, "BASCULE_DATA_DIR": str(tmp_path / "data")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in racing:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    stored = [process.communicate()[0].strip() for process in racing]
    vault = load_vault(Settings(data_dir=tmp_path / "data"))
    assert [vault.decrypt(one) for one in stored] == ["s3cret"] * 4


def test_an_empty_key_file_is_not_taken_for_a_key(tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_text("")
    with pytest.raises(Exception, match="is empty"):
        load_vault(Settings(data_dir=tmp_path))

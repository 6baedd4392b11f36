"""A weak secret key keeps the hub to its own machine."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bascule.cli.admin.rotate_key import refuse_weak_key
from bascule.cli.exit_codes import Refused
from bascule.store.vault import Vault, make_key

WEAK = [
    "short",
    "changeme-changeme-changeme",
    "my-SECRET-KEY-for-production",
    "please-ChangeMe-1234567890",
    "insecure-development-key-0001",
    "default-default-default-key",
    "a" * 64,
    "ab" * 32,
    "0123456789" * 4,
    "abcdefghijklmnopqrstuvwxyz",
    "passwordpasswordpassword",
]
OUTSIDE = ["0.0.0.0", "::", "", "192.168.1.5", "hub.example.com", "10.0.0.1"]
HERE = ["127.0.0.1", "localhost", "::1", "127.8.8.8"]


@pytest.mark.parametrize("key", WEAK)
def test_with_a_weak_key_the_hub_stays_on_loopback(key: str) -> None:
    vault = Vault(key)
    for host in OUTSIDE:
        with pytest.raises(Refused) as refused:
            refuse_weak_key(vault, host)
        assert "openssl rand" in refused.value.next_step
        assert key not in str(refused.value) or len(key) < 8
    for host in HERE:
        refuse_weak_key(vault, host)


def test_a_good_key_listens_anywhere() -> None:
    for vault in [Vault(make_key()) for _ in range(200)]:
        refuse_weak_key(vault, "0.0.0.0")
    for key in ("FzX9q2n0Ge8P1sVbYtR4", "correct horse battery staple orange window"):
        refuse_weak_key(Vault(key), "0.0.0.0")


def test_a_weak_key_that_is_going_does_not_count_and_one_that_comes_does() -> None:
    refuse_weak_key(Vault(make_key(), "changeme"), "0.0.0.0")
    with pytest.raises(Refused):
        refuse_weak_key(Vault("changeme", make_key()), "0.0.0.0")


@pytest.mark.parametrize("verb", ["up", "serve"])
def test_the_verbs_refuse_and_nothing_listens(verb: str, database_url: str, tmp_path: Path) -> None:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("BASCULE_")
    }
    environment |= {
        "BASCULE_DATA_DIR": str(tmp_path),
        "BASCULE_DATABASE_URL": database_url,
        "BASCULE_SECRET_KEY": "changeme",
    }
    done = subprocess.run(
        [sys.executable, "-m", "bascule", verb, "--host", "0.0.0.0", "--port", "0"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2, done
    assert "does not listen on 0.0.0.0" in done.stderr
    assert "changeme" not in done.stderr
    assert "answers at" not in done.stderr

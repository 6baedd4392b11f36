"""A data folder that is lost, and what a backup of it brings back on another machine."""

import json
import os
import shutil
import signal
import stat
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bascule.cli import app
from bascule.sandbox import SandboxThread
from bascule.settings import get_settings
from bascule.store.migrate import newest
from bascule.store.vault import fingerprint
from tests.cli.test_serving import read_document
from tests.kit.api import Api
from tests.kit.command import Bascule, Said
from tests.kit.connecting import connect
from tests.kit.database import remove
from tests.kit.site import Erp
from tests.kit.two_way import turn_on
from tests.kit.waiting import until

PATIENCE = 180


class Up:
    """`bascule up` in a process of its own, and an admin who asks it."""

    def __init__(self, bascule: Bascule) -> None:
        self.bascule = bascule
        self.process = bascule.start("up", "--port", "0", "--json")
        self.url = read_document(self.process)["url"]

    def asked_by(self, token: str) -> Api:
        return Api(self.url, token)

    def end(self, number: int = signal.SIGTERM) -> None:
        if self.process.poll() is None:
            os.kill(self.process.pid, number)
        self.process.communicate(timeout=PATIENCE)
        until(lambda: not self.bascule.processes(), "something is left of it")


@pytest.fixture
def ups(kills: None) -> Iterator[Callable[[Bascule], Up]]:
    running: list[Up] = []

    def start(bascule: Bascule) -> Up:
        running.append(Up(bascule))
        return running[-1]

    yield start
    for one in running:
        if one.process.poll() is None:
            one.process.kill()
            one.process.communicate()


CUSTOMER = {"customerGroup": "Consumers", "country": "Netherlands", "email": "a@b.example"}


def made(api: Api, records: str, **values: Any) -> int:
    answer = api.post(f"/api/{records}", values)
    assert answer.status == 201, answer.body
    return int(answer.json["id"])


def state(api: Api, records: str, number: int) -> str:
    return str(api.get(f"/api/{records}/{number}").json["sync"]["state"])


def names(erp: Erp, doctype: str) -> list[str]:
    """What they are called there, not by their keys: doubles show."""
    field = f"{doctype.lower()}_name"
    return sorted(row[field] for row in erp.list(doctype, fields=("name", field)))


def here(api: Api, records: str) -> list[str]:
    told = api.get(f"/api/{records}", limit=500).json
    assert told["next"] is None
    return sorted(row["name"] for row in told["records"])


def looked(api: Api, records: str) -> None:
    told = api.post(f"/api/{records}/sync/enhanced?wait=60&whole=true").json
    assert told["finished"] and not told["errors"], told


@pytest.mark.heavy
def test_lost_data_folder_comes_back_elsewhere_and_two_way_sync_makes_no_double(
    make_bascule: Callable[..., Bascule],
    ups: Callable[[Bascule], Up],
    erpnext_snapshot: Any,
    tmp_path: Path,
) -> None:
    with SandboxThread(erpnext_snapshot) as site:
        erp = Erp(site)
        lost = make_bascule(BASCULE_SETTLE_SECONDS="1")
        first = ups(lost)
        token = lost("token").out.strip()
        api = first.asked_by(token)
        connect(api, site, name="Shop", streams=["Warehouse"], start_sync=True)
        turn_on(api, "shop", "customers", own_field=True)
        turn_on(api, "shop", "suppliers", own_field=False)
        kept = made(api, "customers", name="Kept", **CUSTOMER)
        until(lambda: state(api, "customers", kept) == "in_sync", "it did not arrive")

        # These wait when the backup is made, and are made in ERPNext after it.
        fault = site.faults.add("maintenance", path="/api/")
        waiting = {
            "customers": made(api, "customers", name="Waiting Customer", **CUSTOMER),
            "suppliers": made(api, "suppliers", name="Waiting Supplier", country="Netherlands"),
        }
        for records, number in waiting.items():
            until(lambda r=records, n=number: state(api, r, n) == "waiting", "it did not wait")
        saved = tmp_path / "hub.backup"
        backed_up = lost("backup", str(saved), "--json")
        assert backed_up.code == 0, backed_up
        site.faults.clear(fault)
        for records, number in waiting.items():
            until(lambda r=records, n=number: state(api, r, n) == "in_sync", "it was not sent")
        later = made(api, "customers", name="Later", **CUSTOMER)
        changed = api.ask("PUT", f"/api/customers/{kept}", {"website": "https://after.example"})
        assert changed.status == 200
        for number in (later, kept):
            until(lambda n=number: state(api, "customers", n) == "in_sync", "it was not sent")

        key = (lost.data_dir / "secret.key").read_text()
        first.end(signal.SIGKILL)
        shutil.rmtree(lost.data_dir)
        erp.change("Customer", "Kept", tax_id="NL-AFTER")
        erp.create("Customer", customer_name="Made There", customer_group="Consumers")
        before = {doctype: names(erp, doctype) for doctype in ("Customer", "Supplier")}

        elsewhere = make_bascule(BASCULE_SETTLE_SECONDS="1")
        refused = elsewhere("restore", str(saved))
        assert refused.code == 4
        assert fingerprint(key.strip()) in refused.err
        assert "secret.key" in refused.err
        (elsewhere.data_dir / "secret.key").write_text(key)
        restored = elsewhere("restore", str(saved), "--json")
        assert restored.code == 0, restored
        assert restored.json["records"] == backed_up.json["records"]

        second = ups(elsewhere)
        api = second.asked_by(token)
        for records in ("customers", "suppliers"):
            looked(api, records)
        for records, number in waiting.items():
            until(lambda r=records, n=number: state(api, r, n) == "in_sync", "it did not go on")
        assert {doctype: names(erp, doctype) for doctype in before} == before
        assert here(api, "customers") == before["Customer"]
        assert here(api, "suppliers") == before["Supplier"]
        back = api.get(f"/api/customers/{kept}").json
        assert (back["website"], back["taxNumber"]) == ("https://after.example", "NL-AFTER")
        assert api.get(f"/api/customers/{later}").status == 404, "its number means nobody else"

        new = made(api, "customers", name="After The Restore", **CUSTOMER)
        assert new > later
        until(lambda: state(api, "customers", new) == "in_sync", "nothing is sent any more")
        assert names(erp, "Customer") == sorted([*before["Customer"], "After The Restore"])
        erp.change("Customer", "After The Restore", website="https://there.example")
        looked(api, "customers")
        assert api.get(f"/api/customers/{new}").json["website"] == "https://there.example"
        second.end()

        assert elsewhere("sync", "shop", "--quiet").code == 0
        assert elsewhere("verify", "shop", "--json").code == 0, "the mirror goes on, and is equal"


class Here:
    """The command in this process, which spares each its start."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir

    def __call__(self, *arguments: str, **settings: str) -> Said:
        told = {"BASCULE_DATA_DIR": str(self.data_dir), "COLUMNS": "160", **settings}
        with pytest.MonkeyPatch.context() as patch:
            for name, value in told.items():
                patch.setenv(name, value)
            get_settings.cache_clear()
            said = CliRunner().invoke(app, arguments, prog_name="bascule")
        get_settings.cache_clear()
        return Said(said.exit_code, said.stdout, said.stderr)


@pytest.fixture
def empty(open_folder: Path) -> Here:
    return Here(open_folder / "hub")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Here, Path]]:
    """A hub that has begun, and a backup of it with its key."""
    parent = Path(tempfile.mkdtemp(prefix="bascule-", dir="/tmp"))
    parent.chmod(0o711)
    bascule = Here(parent / "hub")
    assert bascule("token").code == 0
    path = tmp_path_factory.mktemp("backups") / "small.backup"
    done = bascule("backup", str(path), "--with-key")
    assert done.code == 0, done
    assert "holds the secret key" in done.out
    yield bascule, path
    remove(bascule.data_dir)
    shutil.rmtree(parent, ignore_errors=True)


def folder(bascule: Here | Bascule) -> str:
    return (bascule.data_dir / "secret.key").read_text()


def test_backup_is_its_owners_alone_and_replaces_nothing_unasked(
    small: tuple[Here, Path], tmp_path: Path
) -> None:
    bascule, path = small
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with zipfile.ZipFile(path) as file:
        told = json.loads(file.read("backup.json"))
        assert file.read("secret.key").decode() == folder(bascule)
    assert (told["revision"], told["fingerprints"]) == (
        newest(),
        [fingerprint(folder(bascule).strip())],
    )
    again = bascule("backup", str(path))
    assert again.code == 4
    assert "--overwrite" in again.err
    without = bascule("backup", str(tmp_path / "without.backup"))
    assert without.code == 0
    assert f"keep {bascule.data_dir / 'secret.key'}" in without.out
    assert folder(bascule).strip().encode() not in (tmp_path / "without.backup").read_bytes()
    assert [one.name for one in tmp_path.iterdir()] == ["without.backup"]
    nothing = bascule("backup", str(tmp_path / "no" / "such.backup"))
    assert nothing.code == 4
    assert "cannot be written" in nothing.err


def refused(said: Said, *words: str) -> None:
    assert said.code in (2, 4), said
    for word in words:
        assert word in said.err, said.err


def test_restore_refuses_a_running_hub_and_a_hub_that_it_would_delete(
    small: tuple[Here, Path], empty: Here, ups: Callable[[Bascule], Up]
) -> None:
    _, path = small
    there, outside = empty, Bascule(empty.data_dir)
    running = ups(outside)
    key = folder(there)
    refused(there("restore", str(path), "--replace", "--yes"), "uses", "Stop it")
    running.end()
    refused(there("restore", str(path)), "has a hub already", "--replace")
    refused(there("restore", str(path), "--replace"), "--yes")
    assert folder(there) == key
    check = there("restore", str(path), "--check", "--json")
    assert check.code == 0, check
    assert check.json["whole"] and check.json["replaces"]["people"] == 1
    done = there("restore", str(path), "--replace", "--yes")
    assert done.code == 0, done
    assert folder(there) == folder(small[0]) != key
    assert "API tokens" in done.out
    inside = outside("psql", "--", "-Atc", "select count(*) from bascule.users")
    assert "permission denied" in inside.err


def test_restore_refuses_what_does_not_fit_and_leaves_all_as_it_was(
    small: tuple[Here, Path], empty: Here, tmp_path: Path
) -> None:
    (bascule, path), there = small, empty
    other = tmp_path / "other.backup"

    def spoiled(**values: Any) -> str:
        with zipfile.ZipFile(path) as file, zipfile.ZipFile(other, "w") as to:
            for name in file.namelist():
                content = file.read(name)
                if name == "backup.json":
                    content = json.dumps({**json.loads(content), **values}).encode()
                to.writestr(name, content)
        return str(other)

    refused(there("restore", spoiled(revision="9999", version="7.0")), "newer Bascule", "Upgrade")
    refused(there("restore", spoiled(format=2)), "newer Bascule")
    refused(there("restore", spoiled(database_bytes=10**16)), "free", "BASCULE_DATA_DIR")
    refused(there("restore", str(path), BASCULE_SECRET_KEY="x" * 8), "is not the key")
    other.write_bytes(path.read_bytes()[:-200])
    refused(there("restore", str(other)), "damaged")
    refused(there("restore", str(tmp_path / "nowhere")), "cannot be read")
    assert not (there.data_dir / "secret.key").exists()

    whole = path.read_bytes()
    place = whole.index(b"PGDMP") + 3000
    other.write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1 :])
    refused(there("restore", str(other), "--check"), "damaged")
    failed = there("restore", str(other))
    assert failed.code == 4, failed
    assert not (there.data_dir / "secret.key").exists()
    assert there("restore", str(path), "--quiet").code == 0
    assert folder(there) == folder(bascule)


def test_own_postgresql_is_told_how_it_is_backed_up(small: tuple[Here, Path]) -> None:
    bascule, path = small
    url = {"BASCULE_DATABASE_URL": "postgresql://somebody@127.0.0.1:1/hub"}
    for verb in (("backup",), ("restore", str(path))):
        refused(bascule(*verb, **url), "PostgreSQL of yours", "docs/backup.md")

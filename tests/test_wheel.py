"""What somebody gets who installs the package: built, put where nothing else is, and started."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from bascule import __version__
from tests.kit.database import remove

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parent.parent
UV = shutil.which("uv") or str(ROOT / ".tools" / "bin" / "uv")
PATIENCE = 300


def run(*command: str | Path, **options: object) -> str:
    done = subprocess.run(  # type: ignore[call-overload]
        [str(part) for part in command],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        **options,
    )
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """Where a PostgreSQL that is no root can go too."""
    folder = Path(tempfile.mkdtemp(prefix="bascule-wheel-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    remove(folder / "hub")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def built(place: Path) -> Path:
    if not Path(UV).exists():
        pytest.skip("NOT TESTED: there is no uv; 'make setup' installs one")
    run(UV, "build", "--quiet", "--out-dir", place / "dist", ROOT)
    return place / "dist"


@pytest.fixture(scope="module")
def installed(built: Path, place: Path) -> Path:
    """The `bin` of an environment in which there is nothing else."""
    environment = place / "environment"
    run(UV, "venv", "--quiet", "--python", sys.executable, environment)
    into = ("pip", "install", "--quiet", "--python", environment / "bin" / "python")
    run(UV, *into, "--require-hashes", "-r", ROOT / "requirements.lock")
    [wheel] = built.glob("*.whl")
    run(UV, *into, "--no-deps", wheel)
    run(UV, "pip", "check", "--quiet", "--python", environment / "bin" / "python")
    return environment / "bin"


def test_wheel_holds_what_runs_and_nothing_of_the_tests(built: Path) -> None:
    [wheel] = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        names = set(file.namelist())
    for path in (ROOT / "src").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            assert path.relative_to(ROOT / "src").as_posix() in names
    assert "bascule/CHANGELOG.md" in names
    inside = {name.partition("/")[0] for name in names}
    assert inside == {"bascule", f"bascule-{__version__}.dist-info"}
    [source] = built.glob("*.tar.gz")
    with tarfile.open(source) as file:
        assert f"bascule-{__version__}/docs/backup.md" in file.getnames()


def test_hub_starts_from_an_empty_environment(installed: Path, place: Path) -> None:
    kept = ("PATH", "HOME", "LANG", "TMPDIR")
    clean = {name: os.environ[name] for name in kept if name in os.environ}
    clean["BASCULE_DATA_DIR"] = str(place / "hub")
    bascule = installed / "bascule"
    options = {"env": clean, "cwd": place}
    assert run(bascule, "--version", **options) == f"bascule {__version__}\n"
    assert "backup" in run(bascule, "--help", **options)
    hub = subprocess.Popen(
        [bascule, "up", "--port", "0", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,  # type: ignore[call-overload]
    )
    try:
        text = ""
        while "}" not in text:
            line = hub.stdout.readline()
            assert line, hub.communicate()[1]
            text += line
        with urllib.request.urlopen(f"{json.loads(text)['url']}/health", timeout=60) as answer:
            told = json.load(answer)
        assert (told["version"], told["database"]["reachable"]) == (__version__, True)
        system = json.loads(run(bascule, "system", "--json", **options))
        assert system["version"]["changes"], "the CHANGELOG came along"
        refused = subprocess.run(
            [bascule, "worker"],
            env={**clean, "BASCULE_OTLP_ENDPOINT": "http://127.0.0.1:1"},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert refused.returncode == 2 and "bascule[otel]" in refused.stderr
    finally:
        hub.terminate()
        _, told = hub.communicate(timeout=PATIENCE)
    # The seconds of a first start are not silent.
    words = ("Making a database of its own", "Making the hub's tables")
    places = [told.find(each) for each in words]
    assert -1 < places[0] < places[1], told


def test_make_install_puts_the_command_where_it_is_found(tmp_path: Path) -> None:
    said = run("make", "--no-print-directory", "install", f"PREFIX={tmp_path}", cwd=ROOT)
    assert f'export PATH="{tmp_path}/bin:$PATH"' in said
    assert run(tmp_path / "bin" / "bascule", "--version") == f"bascule {__version__}\n"


def test_release_is_of_one_version_and_its_workflow_stores_no_token() -> None:
    """The version, the newest section of the CHANGELOG and the workflow fit together."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert version == __version__
    changelog = (ROOT / "CHANGELOG.md").read_text()
    heading = changelog.partition("\n## ")[2].partition("\n")[0]
    assert heading.startswith(f"{version}, ")
    done = subprocess.run(
        [sys.executable, ROOT / "deploy" / "release_notes.py", version],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == ("unreleased" in heading), done.stderr
    other = subprocess.run(
        [sys.executable, ROOT / "deploy" / "release_notes.py", "99.0.0"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert other.returncode == 1 and version in other.stderr
    text = (ROOT / ".github" / "workflows" / "release.yml").read_text()
    jobs = yaml.safe_load(text)["jobs"]
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
    assert "password" not in str(jobs["publish"])
    assert jobs["publish"]["needs"] == "build" == jobs["image"]["needs"]
    [push] = [step for step in jobs["image"]["steps"] if "build-push" in step.get("uses", "")]
    assert push["with"]["provenance"] == "mode=max" and push["with"]["sbom"] is True
    commands = " ".join(step.get("run", "") for step in jobs["build"]["steps"])
    assert "make test" in commands and "uv build" in commands and "release_notes.py" in commands

"""What is documented exists, and what exists is documented."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import yaml
from pydantic import AliasChoices

from bascule.jobs.worker import CONNECTIONS
from bascule.settings import Settings
from bascule.store.database import DOWNLOADS, SESSIONS, bulk_connections

ROOT = Path(__file__).parent.parent
LINK = re.compile(r"\]\((?!https?:)([^)#]+)[^)]*\)")


def table_names(page: str) -> set[str]:
    lines = (ROOT / "docs" / page).read_text().splitlines()
    return {line.split("|")[1].split("(")[0].strip(" `") for line in lines if line.startswith("| ")}


def test_every_setting_is_documented_and_no_other() -> None:
    documented = table_names("settings.md") - {"variable"}
    assert documented == {f"BASCULE_{name.upper()}" for name in Settings.model_fields}


def test_every_dependency_has_its_reason_and_no_other() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {re.split(r"[\[<>=]", dependency)[0] for dependency in project["dependencies"]}
    assert table_names("dependencies.md") - {"package"} == wanted


def pinned(lock: str) -> set[str]:
    return set(re.findall(r"^[a-z0-9.-]+==[^ ]+", (ROOT / lock).read_text(), re.MULTILINE))


def test_the_image_gets_the_product_without_the_tools_and_tests_run_on_the_same_versions() -> None:
    product, all_of_it = pinned("requirements.lock"), pinned("requirements-dev.lock")
    tools = {name.partition("==")[0] for name in all_of_it - product}
    assert product < all_of_it
    assert {"pytest", "mypy", "ruff"} <= tools
    assert "requirements-dev.lock" not in (ROOT / "Dockerfile").read_text()


def test_nothing_gets_into_the_image_whose_hash_is_not_locked() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    takes = re.findall(r"pip (?:install|wheel) [^\n]*", dockerfile)
    assert len(takes) == 4
    for command in takes:
        assert "--require-hashes" in command or {"--no-index", "--no-deps"} <= set(command.split())
    for lock in re.findall(r"-r (\S+)", dockerfile):
        told = (ROOT / lock).read_text()
        assert "://" not in told
        for package in told.split("\n    # via")[:-1]:
            assert "--hash=sha256:" in package
        assert f"!{lock}" in (ROOT / ".dockerignore").read_text()
    assert set(re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)) == {"${PYTHON}"}


def test_containers_may_do_no_more_than_they_need() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    assert services.keys() == {"db", "hub"}
    for service in services.values():
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["cap_drop"] == ["ALL"]
        assert service["read_only"] is True
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}
    assert "cap_add" not in services["hub"]
    [port] = services["hub"]["ports"]
    assert port.startswith("127.0.0.1:")


def test_every_variable_of_the_container_is_one_that_settings_know() -> None:
    """But for PostgreSQL's image's own, and Python's."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    compose = (ROOT / "compose.yaml").read_text()
    hub = compose.partition("  hub:\n")[2]
    used = {
        *re.findall(r"\b([A-Z_]+)=", dockerfile),
        *re.findall(r"environ\[\W*([A-Z_]+)", dockerfile),
        *re.findall(r"^ +([A-Z_]+):", hub, re.MULTILINE),
        *re.findall(r"\$\{([A-Z_]+)", hub),
    }
    known = {f"BASCULE_{name.upper()}" for name in Settings.model_fields}
    for field in Settings.model_fields.values():
        if isinstance(field.validation_alias, AliasChoices):
            known |= {str(choice) for choice in field.validation_alias.choices}
    assert {"BASCULE_DATA_DIR", "BASCULE_HOST", "BASCULE_SECRET_KEY", "POSTGRES_URL"} <= used
    others = {"PYTHON", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"}
    others |= {"POSTGRES_PASSWORD", "POSTGRES_READER_PASSWORD"}
    assert used <= known | others


def test_every_error_is_documented_as_it_is_said() -> None:
    made = subprocess.run(
        [sys.executable, ROOT / "docs" / "errors.py"], capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    written = (ROOT / "docs" / "errors.md").read_text()
    assert made.stdout == written, "run: python docs/errors.py > docs/errors.md"


def test_links_between_the_documents_lead_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")]:
        for target in LINK.findall(page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_connections_to_postgresql_are_as_many_as_the_pools_hold() -> None:
    jobs = Settings.model_fields["worker_concurrency"].default
    web = SESSIONS + DOWNLOADS + 2  # health, and who listens for live events
    queue = CONNECTIONS + 1  # and its listener
    bulk = bulk_connections(jobs)
    serve, worker = bulk + web, bulk + SESSIONS + queue
    told = (ROOT / "docs" / "scaling.md").read_text()
    assert f"| **{serve + queue}** | **{serve}** | **{worker}** |" in told
    assert f"{serve + queue} U + {serve} S + {worker} W + 20 for readers + 10 for" in told
    assert f"| one `up` | {serve + queue + 30} |" in told
    assert f"| one `serve`, two `worker` | {serve + 2 * worker + 30} |" in told
    assert f"| two `serve`, four `worker` | {2 * serve + 4 * worker + 30} |" in told
    wide = bulk_connections(16) + SESSIONS + queue
    assert f"of 16 jobs ({wide} each) | {3 * serve + 8 * wide + 30} |" in told

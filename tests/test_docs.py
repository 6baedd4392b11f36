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
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
LINK = re.compile(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)")


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


def test_table_of_permissions_is_what_the_rooms_declare() -> None:
    made = subprocess.run(
        [sys.executable, ROOT / "docs" / "permissions.py", "--print"],
        capture_output=True,
        text=True,
        check=True,
    )
    written = (ROOT / "docs" / "accounts.md").read_text()
    assert made.stdout == written, "run: python docs/permissions.py"


def test_links_between_the_documents_lead_somewhere() -> None:
    for page in PAGES:
        for target, heading in LINK.findall(page.read_text()):
            other = page.parent / target if target else page
            assert other.exists(), f"{page.name} links to {target}"
            if heading:
                assert heading in anchors(other), f"{page.name} links to {target}#{heading}"


def anchors(page: Path) -> set[str]:
    """What GitHub calls the headings of this page, and the names that stand in it."""
    text = page.read_text()
    plain = (re.sub(r"[^\w\- ]", "", one.lower()) for one in re.findall(r"^#+ (.+)$", text, re.M))
    return {one.replace(" ", "-") for one in plain} | set(re.findall(r'<a id="([^"]+)">', text))


def test_the_errors_have_a_way_in_by_what_is_seen() -> None:
    """Where its links lead, `test_links_between_the_documents_lead_somewhere` asks."""
    errors = (ROOT / "docs" / "errors.md").read_text()
    symptoms = errors.partition("## Start from")[2].partition("\n## ")[0]
    named = set(re.findall(r"\(#(says-[^)]+)\)", symptoms))
    assert named == {one for one in anchors(ROOT / "docs" / "errors.md") if one[:5] == "says-"}
    for seen in ("401", "stays queued", "webhook does not arrive", "record says"):
        assert seen in symptoms


def test_every_page_is_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    left = [ROOT / "README.md"]
    while left:
        page = left.pop()
        reached.add(page)
        linked = {(page.parent / target).resolve() for target, _ in LINK.findall(page.read_text())}
        left += [other for other in linked - reached if other.suffix == ".md"]
    assert {page.resolve() for page in PAGES} <= reached


def test_no_line_of_the_documents_is_wider_than_120_columns() -> None:
    """But for rows of tables: Markdown has no way to break one."""
    for page in [*PAGES, ROOT / "docs" / "errors.toml"]:
        for number, line in enumerate(page.read_text().splitlines(), 1):
            assert len(line) <= 120 or line.lstrip().startswith("|"), f"{page.name}:{number}"


def test_every_term_of_the_glossary_is_used_and_the_readme_links_it() -> None:
    glossary = (ROOT / "docs" / "glossary.md").read_text()
    terms = re.findall(r"\*\*(.+?)\*\*", glossary)
    assert len(set(terms)) == len(terms) > 60
    others = [page for page in PAGES if page.name != "glossary.md"]
    said = [*others, *(ROOT / "src" / "bascule").rglob("*.py")]
    used = "\n".join(" ".join(page.read_text().split()) for page in said).lower()
    assert not [term for term in terms if term.lower() not in used]
    for page in ("README.md", "docs/README.md"):
        assert "glossary.md)" in (ROOT / page).read_text()


def test_contributing_names_places_that_there_are() -> None:
    """Each file and folder exists, and holds the name that stands before it."""
    said = " ".join((ROOT / "CONTRIBUTING.md").read_text().split())
    paths = re.findall(r"`((?:src|tests|docs)/[^` ]+|README\.md)`", said)
    assert len(set(paths)) > 40
    assert not [path for path in paths if not (ROOT / path).exists()]
    named = re.findall(r"((?:`\w+`(?:, | and |, and where needed )?)+) (?:in|of) `(\S+\.py)`", said)
    assert len(named) > 20
    for names, path in named:
        for name in re.findall(r"`(\w+)`", names):
            assert re.search(rf"\b{name}\b", (ROOT / path).read_text()), f"{path} has no {name}"
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(
        r"make ([a-z]+)", "".join(re.findall(r"`make [^`]+`|\$ make .*?#", said))
    ):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"make {target}"


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

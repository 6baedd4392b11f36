"""What is documented exists, and what exists is documented."""

import re
import tomllib
from pathlib import Path

from bascule.settings import Settings

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


def test_links_between_the_documents_lead_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")]:
        for target in LINK.findall(page.read_text()):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"

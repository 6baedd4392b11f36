"""The notes of a release, from the CHANGELOG: `python deploy/release_notes.py 0.1.0`.

Exits with 1, and says why, where the version, the CHANGELOG and what is to be released do not say
the same, or the CHANGELOG's section has no date yet.
"""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def notes(version: str) -> str:
    """ValueError: what does not fit."""
    known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    if version != known:
        raise ValueError(f"pyproject.toml has version {known}, and {version} is to be released.")
    sections = re.split(r"^## ", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)[1:]
    heading, _, text = sections[0].partition("\n")
    if not re.fullmatch(rf"{re.escape(version)}, \d{{4}}-\d\d-\d\d", heading.strip()):
        raise ValueError(
            f"CHANGELOG.md begins with '{heading.strip()}'; a release needs '{version}, YYYY-MM-DD'"
            " as its newest section."
        )
    return text.strip() + "\n"


if __name__ == "__main__":
    try:
        print(notes(sys.argv[1]), end="")
    except ValueError as error:
        sys.exit(str(error))

"""What is new in this version, from the CHANGELOG that comes with the package."""

from functools import cache
from pathlib import Path

PACKAGED = Path(__file__).parent.parent / "CHANGELOG.md"  # see pyproject.toml
IN_A_CHECKOUT = Path(__file__).parents[3] / "CHANGELOG.md"


@cache
def news() -> list[str]:
    """The entries of the newest version, one a line; none where the file is missing."""
    path = next((one for one in (PACKAGED, IN_A_CHECKOUT) if one.is_file()), None)
    if path is None:
        return []
    _, _, rest = path.read_text(encoding="utf-8").partition("\n## ")
    section = rest.partition("\n## ")[0].partition("\n")[2]
    return [" ".join(item.split()).replace("`", "") for item in f"\n{section}".split("\n- ")[1:]]

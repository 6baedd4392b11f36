"""The table of permissions in docs/accounts.md: `python docs/permissions.py` brings it up to date.

It is made of what the rooms declare. With --print it writes nothing, and a test compares.
"""

import sys
from pathlib import Path

from bascule.accounts.permissions import BUILT_IN_ROLES
from bascule.permissions import load

PAGE = Path(__file__).parent / "accounts.md"
BEGIN, END = "<!-- permissions -->\n", "<!-- end of permissions -->\n"


def main() -> None:
    page = with_table(PAGE.read_text())
    if "--print" in sys.argv:
        print(page, end="")
    else:
        PAGE.write_text(page)


def with_table(text: str) -> str:
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}{table()}{END}{after}"


def table() -> str:
    roles = list(BUILT_IN_ROLES)
    lines = [
        f"| permission | may | {' | '.join(roles)} | scope of a token |",
        f"|---|---|{'---|' * len(roles)}---|",
    ]
    for each in load():
        having = " | ".join("yes" if role in each.roles else "" for role in roles)
        lines.append(f"| `{each.name}` | {each.allows} | {having} | `{each.scope}` |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()

"""What a proof found: which documents differ from the site's, in which columns."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

EXAMPLES = 20
KINDS = ("missing", "extra", "stale", "changed", "children")

# How rows are compared: every value of them, the checksum that the site has of them, the time of
# change of each, or how many there are and which is the newest. From the most to the least.
By = Literal["value", "checksum", "name and time", "count and time"]


def least_of(ways: Iterable[str]) -> str | None:
    """The way that says least; None where there is none."""
    order = get_args(By)
    return max(ways, key=order.index, default=None)


@dataclass(slots=True)
class Findings:
    """Names of documents: on the site only, here only, here as they were before, with other values
    though `modified` has not moved, and with other child rows.

    `columns`: rows that differ without `modified` having moved, by "DocType.field". `checked`:
    documents, `rows`: with their child rows. `part`: not all were compared.
    """

    by: By
    checked: int = 0
    rows: int = 0
    part: bool = False
    proven_before: int | None = None  # of a part: those compared by value, last nights included
    missing: set[str] = field(default_factory=set)
    extra: set[str] = field(default_factory=set)
    stale: set[str] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)
    children: set[str] = field(default_factory=set)
    columns: Counter[str] = field(default_factory=Counter)
    repaired: bool = False  # and found equal when looked at once more

    @property
    def equal(self) -> bool:
        return not self.documents()

    def documents(self) -> set[str]:
        return self.missing | self.extra | self.stale | self.changed | self.children

    @property
    def proven(self) -> int:
        """Documents that are equal now."""
        compared = self.checked if self.proven_before is None else self.proven_before
        return max(0, compared - (0 if self.repaired else len(self.documents() - self.extra)))

    def report(self) -> dict[str, Any]:
        return {
            "equal": self.equal,
            "proven": self.proven,
            "by": self.by,
            "checked": self.checked,
            "rows": self.rows,
            "part": self.part,
            "repaired": self.repaired,
            **{kind: len(getattr(self, kind)) for kind in KINDS},
            "columns": dict(self.columns.most_common(EXAMPLES)),
            "examples": {
                kind: sorted(getattr(self, kind))[:EXAMPLES]
                for kind in KINDS
                if getattr(self, kind)
            },
        }

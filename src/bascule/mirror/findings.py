"""What a proof found: which documents differ from the site's, in which columns."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal

EXAMPLES = 20
KINDS = ("missing", "extra", "stale", "changed", "children")

# How rows are compared: every value of them, the checksum that the site has of them, or the time
# of change alone.
By = Literal["value", "checksum", "name and time"]


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

    def report(self) -> dict[str, Any]:
        return {
            "equal": self.equal,
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

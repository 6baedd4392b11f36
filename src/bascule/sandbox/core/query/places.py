"""Where a column of a query is, and what leads to its table."""

from dataclasses import dataclass

from bascule.sandbox.core.database.tables import column, quoted
from bascule.sandbox.core.doctypes.schema import DocType


@dataclass
class Place:
    """A column of a table in the query; `link` is the Link that leads there, `table` the field of
    the rows that do."""

    doctype: DocType
    name: str
    link: str = ""
    table: str | None = None
    parent: str | None = None

    @property
    def sql(self) -> str:
        return f"{quoted(self.doctype.name)}.{column(self.name)}"

"""A document with its child rows, as it is between the tables and an answer.

Knows its own values only: checks are in `checks`, saving in `saving`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from bascule.sandbox.core.database.tables import Row, Tables, stored
from bascule.sandbox.core.doctypes.schema import (
    OF_CHILDREN,
    STANDARD,
    DocType,
    Field,
    Schema,
    kind_of,
)
from bascule.sandbox.core.errors import Call, Refusal, not_found
from bascule.sandbox.core.values import cint

# What Frappe never takes over from a caller's values.
_RESERVED = {"doctype", "meta", "flags", "parent_doc", "_table_fields", "_valid_columns"}


@dataclass(frozen=True)
class Renaming:
    """A document gets the name `new`; or what links to it will link to `new`, in a merge."""

    old: str
    new: str
    merge: bool


class Document:
    """`values` by field; `rows` are the child documents by table field.

    `is_new` until it is stored; `unsaved` marks a row that came with this call. `in_insert` and
    `in_delete` are Frappe's flags while it is made or deleted; `before` is what it was, None of one
    that was made just now (`made`); `renaming` is there while it is renamed.
    """

    def __init__(self, doctype: DocType, values: Row, *, is_new: bool = False) -> None:
        self.doctype = doctype
        self.values = values
        self.rows: dict[str, list[Document]] = {entry["fieldname"]: [] for entry in doctype.tables}
        self.is_new = is_new
        self.unsaved = False
        self.before: Document | None = None
        self.made = False
        self.in_insert = False
        self.in_delete = False
        self.renaming: Renaming | None = None

    @property
    def name(self) -> str:
        return self.values.get("name") or ""

    def __getitem__(self, field: str) -> Any:
        return self.values.get(field)

    def __setitem__(self, field: str, value: Any) -> None:
        self.values[field] = value

    @property
    def docstatus(self) -> int:
        return cint(self.values.get("docstatus"))

    def children(self) -> Iterator["Document"]:
        for rows in self.rows.values():
            yield from rows

    def family(self) -> Iterator["Document"]:
        yield self
        yield from self.children()

    def update(self, schema: Schema, values: Row) -> None:
        """Frappe's `update`: rows given for a table replace the rows that are there."""
        if values.get("name"):
            self.values["name"] = values["name"]
        for field, value in values.items():
            if field in _RESERVED:
                continue
            if field in self.rows:
                self.rows[field] = []
                for row in _iterated(value) if value else ():
                    self.append(schema, field, _row(row))
            else:
                self.values[field] = value

    def append(self, schema: Schema, field: str, values: Row) -> "Document":
        entry = self.doctype.field(field) or {}
        row = Document(schema[entry["options"]], dict(values))
        row.is_new = not row.values.get("name")
        row.values |= {
            "parent": self.values.get("name"),
            "parenttype": self.doctype.name,
            "parentfield": field,
        }
        row.values["docstatus"] = cint(row.values.get("docstatus"))
        if not row.values.get("idx"):
            row.values["idx"] = len(self.rows[field]) + 1
        self.rows[field].append(row)
        return row

    def shown(
        self,
        *,
        nulls: bool = False,
        levels: set[int] | None = None,
        virtual: Callable[["Document", str], Any] = lambda document, field: None,
    ) -> Row:
        """As an answer shows it to a reader with those permission `levels`, None for all of them.

        Virtual fields are shown even where they are null, as Frappe does.
        """
        out: Row = {}
        for name in (*STANDARD, *(entry["fieldname"] for entry in self.doctype.with_value)):
            entry = self.doctype.by_name.get(name)
            if entry is not None and _above(entry, levels):
                if entry.get("is_virtual") or not nulls:
                    continue
                out[name] = None
                continue
            if entry is not None and entry.get("is_virtual"):
                out[name] = _shown_virtual(entry, virtual(self, name))
                continue
            value = self.values.get(name)
            if nulls or value is not None:
                out[name] = value
        if self.doctype.is_child:
            out |= {name: self.values.get(name) for name in OF_CHILDREN}
        out["doctype"] = self.doctype.name
        for field, rows in self.rows.items():
            seen = [] if _above(self.doctype.by_name[field], levels) else rows
            out[field] = [row.shown(nulls=nulls, levels=levels, virtual=virtual) for row in seen]
        if self.unsaved:
            out["__unsaved"] = 1
        return out


def _shown_virtual(entry: Field, value: Any) -> Any:
    """A number is never null, also one that nothing stands for."""
    kind = kind_of(entry["fieldtype"])
    return value if kind not in ("int", "float") else stored(kind, value)


def _iterated(value: Any) -> Iterator[Any]:
    try:
        return iter(value)
    except TypeError as error:
        raise Refusal("ValueError", module="", status=500) from error


def _row(value: Any) -> Row:
    if value is None or isinstance(value, dict):
        return value or {}
    told = f"'{type(value).__name__}' object does not support item assignment"
    raise Refusal("TypeError", told, module="", status=500)


def _above(entry: Field, levels: set[int] | None) -> bool:
    level = cint(entry.get("permlevel"))
    return bool(level) and levels is not None and level not in levels


def load(schema: Schema, tables: Tables, doctype: DocType, name: str) -> Document | None:
    """The stored document of that name, found as MariaDB finds it; None if there is none."""
    row = single_row(tables, doctype) if doctype.is_single else tables.row(doctype.name, name)
    if row is None:
        return None
    document = Document(doctype, row)
    for entry in doctype.tables:
        options = str(entry.get("options"))
        if options not in schema:
            continue
        found = tables.rows(
            options,
            "`idx` ASC",
            parent=document.name,
            parenttype=doctype.name,
            parentfield=entry["fieldname"],
        )
        document.rows[entry["fieldname"]] = [Document(schema[options], row) for row in found]
    return document


def stored_fields(tables: Tables, doctype: str) -> Row:
    """What is kept of a Single."""
    found = tables.run("SELECT `field`, `value` FROM `tabSingles` WHERE `doctype` = ?", (doctype,))
    return dict(found.fetchall())


def single_row(tables: Tables, doctype: DocType) -> Row:
    """A Single's values; what has none has its default. `idx` stays the text that it is kept as."""
    row: Row = {"name": doctype.name, "owner": "Administrator", "docstatus": 0, "idx": "0"}
    row |= stored_fields(tables, doctype.name)
    for entry in doctype.of_type("Check", "Int", "Float", "Currency", "Percent"):
        row[entry["fieldname"]] = stored(kind_of(entry["fieldtype"]), row.get(entry["fieldname"]))
    return row


def found(call: Call, schema: Schema, tables: Tables, doctype: DocType, name: str) -> Document:
    """The document, or 404 with the message that it was not found."""
    document = load(schema, tables, doctype, name)
    if document is None:
        call.raise_told(not_found(doctype.name, name))
    return document

"""The demo company's books: every document, with names, stamps and child rows as a site keeps them.

Knows the shape of documents, nothing of the trade.
"""

import random
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from bascule.sandbox.apps import builtin

Document = dict[str, Any]

_STAMPS = ("owner", "creation", "modified", "modified_by", "docstatus")
_ZERO: dict[str, Any] = {"Check": 0, "Int": 0, "Float": 0.0, "Currency": 0.0, "Percent": 0.0}


def stamp(moment: datetime) -> str:
    """A time as Frappe writes it: the site's local time with microseconds and no zone."""
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")


class Books:
    """Documents by DocType, in order of creation."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.doctypes = builtin()
        self.documents: dict[str, list[Document]] = {}
        self._blanks: dict[str, Document] = {}
        self._tables: dict[str, list[tuple[str, str]]] = {}
        self._fieldnames: dict[str, set[str]] = {}
        self._series: dict[str, int] = {}
        for name, definition in self.doctypes.items():
            self._blanks[name] = _blank(definition)
            self._tables[name] = [
                (field["fieldname"], field["options"])
                for field in definition["fields"]
                if field["fieldtype"] == "Table"
            ]

    def hash_name(self) -> str:
        return f"{self.rng.getrandbits(40):010x}"

    def next_in(self, series: str, digits: int = 5) -> str:
        number = self._series.get(series, 0) + 1
        self._series[series] = number
        return f"{series}{number:0{digits}d}"

    def write(
        self,
        doctype: str,
        name: str | None,
        at: datetime,
        owner: str = "Administrator",
        **values: Any,
    ) -> Document:
        """A new document; without a name it gets a random one. Child rows are lists of dicts."""
        moment = stamp(at)
        document = {
            "name": self.hash_name() if name is None else name,
            "owner": owner,
            "creation": moment,
            "modified": moment,
            "modified_by": owner,
            "docstatus": 0,
            "idx": 0,
            **self._blanks[doctype],
            **values,
            "doctype": doctype,
        }
        for fieldname, child in self._tables[doctype]:
            document[fieldname] = [
                {"name": self.hash_name(), **self._blanks[child], **row, "doctype": child}
                for row in values.get(fieldname, ())
            ]
        self.documents.setdefault(doctype, []).append(document)
        return document

    def fields_of(self, doctype: str, values: Document) -> Document:
        """Of `values` what the DocType has a field for."""
        known = self._fieldnames.setdefault(
            doctype, {field["fieldname"] for field in self.doctypes[doctype]["fields"]}
        )
        return {key: value for key, value in values.items() if key in known}

    def change(
        self, document: Document, at: datetime, by: str | None = None, **values: Any
    ) -> None:
        document.update(values, modified=stamp(at))
        if by is not None:
            document["modified_by"] = by

    def close(self) -> dict[str, list[Document]]:
        """Every document, its child rows now stamped like their parent, as saving one does."""
        for doctype, documents in self.documents.items():
            for fieldname, _ in self._tables[doctype]:
                for document in documents:
                    _stamp_rows(document, fieldname, document[fieldname])
        return self.documents


def _stamp_rows(parent: Document, fieldname: str, rows: Iterable[Document]) -> None:
    stamps = {key: parent[key] for key in _STAMPS}
    place = {"parent": parent["name"], "parentfield": fieldname, "parenttype": parent["doctype"]}
    for position, row in enumerate(rows, start=1):
        row.update(stamps, idx=position, **place)


def _blank(definition: dict[str, Any]) -> Document:
    """What a new document holds before anybody fills it in: numbers are never empty in Frappe."""
    blank: Document = {}
    for field in definition["fields"]:
        zero = _ZERO.get(field["fieldtype"])
        if zero is None or field.get("is_virtual"):
            continue
        default = field.get("default")
        blank[field["fieldname"]] = type(zero)(float(default)) if default else zero
    return blank

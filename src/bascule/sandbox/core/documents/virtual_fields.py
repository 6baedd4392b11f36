"""Virtual fields: fields without a column, whose value is worked out when a document is shown."""

from collections.abc import Callable
from typing import Any

from bascule.sandbox.core.documents.document import Document

_VIRTUAL: dict[tuple[str, str], Callable[[Document], Any]] = {}


def virtual(doctype: str, field: str) -> Callable[[Callable[[Document], Any]], None]:
    """The function gives the value of that virtual field."""

    def known(value: Callable[[Document], Any]) -> None:
        _VIRTUAL[doctype, field] = value

    return known


def virtual_value(document: Document, field: str) -> Any:
    value = _VIRTUAL.get((document.doctype.name, field))
    return value(document) if value else None

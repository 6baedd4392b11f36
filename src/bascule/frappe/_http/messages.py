"""What a site said, as plain text: its messages without HTML, and the fields that they name.

Works on decoded bodies alone; which error it amounts to is `error_mapping`'s business.
"""

import json
import re
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from typing import Any

from bascule.frappe.doctype import DocType, fieldname_of
from bascule.unprintable import left_out

_BLOCKS = {"br", "p", "div", "li", "ul", "ol", "tr", "details", "summary", "h1", "h2", "h3", "h4"}
_PREFIX = re.compile(
    r"^(?:[A-Za-z_][\w.]*\.)?[A-Za-z_]\w*(?:Error|Exception|Stopped|Expired)\b:?\s*"
)
_UNKNOWN_COLUMN = re.compile(r"Unknown column '([^']+)'|column \"?([\w.]+)\"? does not exist")
# What MariaDB says of a value that a column cannot hold -> the same for a person.
_UNFIT = {
    "Data too long": "It is longer than the site can store.",
    "Out of range": "The number is larger than the site can store.",
    "Incorrect": "The site's database does not take this value.",
}
_UNFIT_COLUMN = re.compile(r"(Data too long|Out of range|Incorrect).* for column '?([^']+?)'? at ")

_LINE = "\x1e"  # between blocks; no text holds it


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "style"):
            self.hidden += 1
        elif tag in _BLOCKS:
            self.parts.append(_LINE)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self.hidden = max(0, self.hidden - 1)
        elif tag in _BLOCKS:
            self.parts.append(_LINE)

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.parts.append(data)


def plain(html: str) -> str:
    """The text of a piece of HTML on one line; what stood on lines of its own are sentences."""
    parser = _Text()
    parser.feed(html)
    parser.close()
    lines = [left_out(" ".join(line.split())) for line in "".join(parser.parts).split(_LINE)]
    lines = [line for line in lines if line]
    return " ".join([*map(_sentence, lines[:-1]), *lines[-1:]])


def _sentence(text: str) -> str:
    return text if text[-1] in ".!?:" else f"{text}."


def messages(body: Mapping[str, Any]) -> list[str]:
    """What the site tells the user, in its own words: v1's `_server_messages`, v2's `errors`."""
    told = [*_server_messages(body), *_v2_messages(body)]
    told += [plain(str(body["_error_message"]))] if not told and body.get("_error_message") else []
    if not told and isinstance(body.get("exception"), str):
        told = [without_class(plain(_raised_last(body["exception"])))]
    return [text for text in dict.fromkeys(told) if text]


def sentences(told: list[str]) -> str:
    """One text of them all. A message that is part of another says nothing of its own."""
    apart = [text for text in told if not any(text != other and text in other for other in told)]
    return " ".join(map(_sentence, apart))


def _server_messages(body: Mapping[str, Any]) -> Iterator[str]:
    """A JSON list of JSON strings, each an object with a `message`; some apps send bare text."""
    entries = _json(body.get("_server_messages"))
    for entry in entries if isinstance(entries, list) else []:
        told = _json(entry)
        text = told.get("message") if isinstance(told, dict) else told
        if isinstance(text, str):
            yield plain(text)


def _v2_messages(body: Mapping[str, Any]) -> Iterator[str]:
    errors = body.get("errors")
    for error in errors if isinstance(errors, list) else []:
        if isinstance(error, dict):
            yield plain(str(error.get("message") or _raised_last(error.get("exception") or "")))


def _json(text: Any) -> Any:
    """The value that the text holds, or what was given where it holds none."""
    if not isinstance(text, str):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def exc_type(body: Mapping[str, Any]) -> str:
    """The name of Frappe's exception class, "" where the site told none."""
    if isinstance(body.get("exc_type"), str):
        return str(body["exc_type"])
    errors = body.get("errors")
    if isinstance(errors, list) and errors and isinstance(errors[0], dict):
        return str(errors[0].get("type") or "")
    return ""


def exception(body: Mapping[str, Any]) -> str:
    return body["exception"] if isinstance(body.get("exception"), str) else ""


def _raised_last(raised: str) -> str:
    """The exception itself, where the site wrote the whole traceback in its place."""
    lines = str(raised).strip().splitlines()
    traced = any(line.startswith("Traceback (most recent call last)") for line in lines)
    return lines[-1] if traced else str(raised)


def without_class(raised: str) -> str:
    """What an exception said, without the name of its class."""
    return _PREFIX.sub("", raised)


def unfit_column(body: Mapping[str, Any]) -> tuple[str, str] | None:
    """The column whose value the site's database cannot hold, and why; None: it is not that."""
    found = _UNFIT_COLUMN.search(exception(body))
    if found is None:
        return None
    return found[2].strip("`").rpartition("`.`")[2], _UNFIT[found[1]]


# Sentences of frappe/model/{document,base_document,db_query}.py, in English. The group is a label.
_BY_LABEL = tuple(
    re.compile(pattern)
    for pattern in (
        r"^(?:Row #\d+: )?(.+?) cannot be \".*\". It should be one of ",
        r": '(.+?)' \(.*\) will get truncated",
        r"^Not allowed to change (.+?) after submission",
        r"^(?:Error: )?Value cannot be (?:changed|negative) for (?:Row #\d+: )?(.+?)$",
        r"^(.+?) must be unique",
    )
)
_LINKS = re.compile(r"(?:^Could not find |, )(?:Row #\d+: )?([^:,]+): ([^,]*)")


def fields(body: Mapping[str, Any], told: list[str], meta: DocType | None) -> dict[str, str]:
    """Which fields the site complains of, and how; by label where `meta` does not know it."""
    raised = exception(body)
    if exc_type(body) == "MandatoryError" and "]: " in raised:
        names = [name.strip() for name in raised.rpartition("]: ")[2].split(",")]
        texts = told if len(told) == len(names) else ["Value missing"] * len(names)
        return dict(zip(names, texts, strict=True))
    if unfit := unfit_column(body):
        return {unfit[0]: unfit[1]}
    if unknown := _UNKNOWN_COLUMN.search(raised):
        name = (unknown.group(1) or unknown.group(2)).rpartition(".")[2]
        return {name: "The DocType has no such column."}
    found: dict[str, str] = {}
    for text in told:
        if text.startswith("Field not permitted in query: "):
            found[text.partition(": ")[2]] = text
        elif exc_type(body) == "NameError":
            found["name"] = text
        elif exc_type(body) == "LinkValidationError":
            for label, value in _LINKS.findall(text):
                found[_named(label, meta)] = f"Could not find {value}"
        else:
            for pattern in _BY_LABEL:
                if match := pattern.search(text):
                    found[_named(match.group(1).strip(), meta)] = text
    return found


_FIELD_REFUSED = re.compile(r": ([A-Z][^:.]*)\.([A-Za-z_]\w*)\W*$")


# Of frappe/permissions.py: a right to none of them, and to this one.
_REFUSED_DOCTYPES = tuple(
    re.compile(pattern)
    for pattern in (
        r"does not have doctype access via role permission for document ([^.]+)",
        r"does not have access to this document: (.+?) - ",
    )
)


def doctype_refused(text: str) -> str | None:
    """The DocType that a 403 is about, which need not be the one that was asked for."""
    found = (pattern.search(text) for pattern in _REFUSED_DOCTYPES)
    return next((match[1].strip() for match in found if match), None)


def field_refused(text: str) -> tuple[str, str] | None:
    """The DocType and field that a refusal of version 16 is about (_check_field_permission in
    frappe/database/query.py), in any language: it ends with them.
    """
    match = _FIELD_REFUSED.search(text)
    return (match[1], match[2]) if match else None


def _named(label: str, meta: DocType | None) -> str:
    return (fieldname_of(label, meta.fields) if meta else None) or label

"""A new document's name: by field, series, format, prompt or hash, as its DocType says."""

import base64
import re
import secrets
import time
from typing import TYPE_CHECKING, Any

from bascule.sandbox.core.documents.document import Document
from bascule.sandbox.core.documents.events import fire
from bascule.sandbox.core.errors import Call, database_error
from bascule.sandbox.core.values import cint, cstr

if TYPE_CHECKING:
    from datetime import datetime

    from bascule.sandbox.core.site import Site

_SERIES = re.compile(r"^[\w\- \/.#{}]+$")
_BRACED = re.compile(r"(\{[\w | #]+\})")


def set_name(site: "Site", call: Call, document: Document) -> None:
    """Names the document by the first rule that gives a name; refuses what is no good name."""
    rule = document.doctype.autoname
    if rule.lower() == "prompt" and document["__newname"]:
        document["name"] = valid_name(call, document.doctype.name, document["__newname"])
        return
    if rule.lower() != "prompt":
        document["name"] = None
    if document["amended_from"]:
        document["name"] = _amended(site, document)
    elif document.doctype.is_single:
        document["name"] = document.doctype.name
    if not document["name"]:
        fire(site, call, document, "autoname")
    if not document["name"]:
        document["name"] = _by_rule(site, call, document, rule)
    name = document["name"] or random_name()
    single = document.doctype.is_single
    document["name"] = valid_name(call, document.doctype.name, name, single=single)


def _by_rule(site: "Site", call: Call, document: Document, rule: str) -> str | None:
    kind = rule.lower()
    if kind.startswith("field:"):
        field = rule.partition(":")[2]
        name = cstr(document[field]).strip()
        if not name:
            call.refuse(f"{document.doctype.label(field)} is required")
        return name
    if kind.startswith("naming_series:"):
        return by_series(site, call, document)
    if kind.startswith("prompt"):
        call.refuse("Please set the document name")
    if kind.startswith("format:"):
        text = rule.partition(":")[2]
        return _BRACED.sub(lambda match: _series(site, document, [match[1][1:-1]]), text)
    if kind == "autoincrement":
        return str(_next(site, document.doctype.name))
    if "#" in rule:
        return from_series(site, call, document, rule)
    return None


def by_series(site: "Site", call: Call, document: Document) -> str:
    """By the document's own `naming_series`, or the first that its DocType offers."""
    series: str | None = document["naming_series"]
    if not series:
        field = document.doctype.field("naming_series") or {}
        choices = (field.get("options") or "").split("\n")
        series = next((choice for choice in choices if choice), None)
        if series is None:
            call.refuse("Naming Series mandatory")
        document["naming_series"] = series
    return from_series(site, call, document, f"{series}.#####")


def from_series(site: "Site", call: Call, document: Document, series: str) -> str:
    if "#" not in series:
        series += ".#####"
    if "." not in series:
        call.refuse(
            f"Invalid naming series <strong>{series}</strong>: dot (.) missing",
            "InvalidNamingSeriesError",
        )
    if not _SERIES.match(series):
        call.refuse(
            "Special Characters except '-', '#', '.', '/', '{{' and '}}' not allowed in naming"
            f" series <strong>{series}</strong>",
            "InvalidNamingSeriesError",
        )
    return _series(site, document, series.split("."))


def _series(site: "Site", document: Document, parts: list[str]) -> str:
    """The parts put together: a run of # counts on from what stands before it."""
    name, counted = "", False
    today = site.clock.now()
    for part in filter(None, parts):
        if part.startswith("#"):
            if not counted:
                name += str(_next(site, name)).zfill(len(part))
                counted = True
        else:
            name += _part(document, part, today)
    return name


def _part(document: Document, part: str, today: "datetime") -> str:
    dates = {"YY": "%y", "MM": "%m", "DD": "%d", "YYYY": "%Y"}
    if part in dates:
        return today.strftime(dates[part])
    if part == "WW":
        return _week(today)
    if part == "timestamp":
        return str(today)
    if part.startswith("{") or part in document.values:
        value: Any = document[part.replace("{", "").replace("}", "")]
        return cstr(value).strip() if not isinstance(value, str) else value
    return part


def _week(today: "datetime") -> str:
    week = today.strftime("%V")
    if today.month == 1 and int(week) >= 52:
        return "00"
    return "53" if today.month == 12 and int(week) <= 1 else week


def _next(site: "Site", prefix: str) -> int:
    """The series' next number; a series is known by what stands before its number."""
    row = site.tables.run(
        "INSERT INTO `tabSeries` VALUES (?, 1) ON CONFLICT (`name`)"
        " DO UPDATE SET `current` = `current` + 1 RETURNING `current`",
        (prefix,),
    ).fetchone()
    return int(row[0])


def take_back(site: "Site", document: Document) -> None:
    """A deleted document gives its number back if it was the last of its series."""
    rule = document.doctype.autoname
    if rule.startswith("naming_series:") and document["naming_series"]:
        rule = document["naming_series"]
    elif not rule or rule.partition(":")[0] in ("prompt", "Prompt", "field", "hash", "format"):
        return
    prefix = rule.rpartition(".")[0] if ".#" in rule else rule
    if "." in prefix:
        prefix = _series(site, document, [part for part in prefix.split(".") if "#" not in part])
    site.tables.run(
        "UPDATE `tabSeries` SET `current` = `current` - 1 WHERE `name` = ? AND `current` = ?",
        (prefix, cint(document.name.replace(prefix, ""))),
    )


def _amended(site: "Site", document: Document) -> str:
    before = cstr(document["amended_from"])
    if "amended_from" not in document.doctype.kinds:
        told = "Unknown column 'amended_from' in 'SELECT'"
        raise database_error("OperationalError", 1054, told)
    if site.tables.value(document.doctype.name, before, "amended_from"):
        stem, _, number = before.rpartition("-")
        return f"{stem}-{cint(number) + 1}"
    return f"{before}-1"


def random_name() -> str:
    """Ten characters: four of the time in tenths of a second, six random."""
    tenths = int(time.time() * 10) % 32**4
    stamp = base64.b32hexencode(tenths.to_bytes(5, "big")).decode()[-4:]
    chance = base64.b32hexencode(secrets.token_bytes(6)).decode()[:6]
    return (stamp + chance).lower()


def valid_name(call: Call, doctype: str, name: Any, *, single: bool = False) -> str:
    """The name without spaces around it; 409 or 417 when it cannot be one."""
    if not name:
        call.refuse(f"No Name Specified for {doctype}")
    if isinstance(name, int):
        call.refuse("Invalid name type (integer) for varchar name column", "NameError")
    text = str(name)
    if text.startswith(f"New {doctype}"):
        call.refuse(
            "There were some errors setting the name, please contact the administrator", "NameError"
        )
    text = text.strip()
    if not single and doctype == text and text != "DocType":
        call.refuse(f"Name of {doctype} cannot be {text}", "NameError")
    if re.search(r"[<>]", text):
        call.refuse("Name cannot contain special characters like '<', '>'", "NameError")
    return text


def numbered(site: "Site", doctype: str, name: str) -> str:
    """The name, or with `-1`, `-2`, ... behind it where it is taken."""
    if site.tables.value(doctype, name, "name") is None:
        return name
    pattern = re.compile(re.escape(name) + r"-(\d+)$")
    rows = site.tables.run(f"SELECT `name` FROM `tab{doctype}`")
    numbers = [int(match[1]) for row in rows if (match := pattern.match(row[0]))]
    return f"{name}-{max(numbers, default=0) + 1}"

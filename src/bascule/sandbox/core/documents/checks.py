"""What Frappe checks of a document before it is stored, each with its own words and status."""

import json
import re
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from bascule.sandbox.core.database.tables import Row, stored
from bascule.sandbox.core.doctypes.schema import NO_VALUE, SHORT_TEXTS, TABLE_TYPES, kind_of
from bascule.sandbox.core.documents.document import Document
from bascule.sandbox.core.documents.markup import clean, is_markup
from bascule.sandbox.core.errors import Call, Refusal, bold
from bascule.sandbox.core.values import cint, cstr, flt
from bascule.sandbox.core.versions import SIXTEEN

if TYPE_CHECKING:
    from bascule.sandbox.core.site import Site

_TAG = re.compile(r"<.*?>", re.DOTALL)
_RAW = ("Attach", "Attach Image", "Barcode", "Code")
_EMAIL = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+@(?:[\w-]+\.)+[\w-]+", re.ASCII)
_PERSON = re.compile(r"^[\w][\w'\-]*( \w[\w'\-]*)*$")
_PHONE = r"[0-9 +_\-,.*#()]{1,20}$"
_INTERNATIONAL = re.compile(r"\s*\+(?:[\s().-]*\d){8,15}\s*")
_LARGEST = 2**31 - 1
# Nobody counts how often these are linked to; see frappe/model/utils/link_count.py.
_UNCOUNTED = {
    *("DocType", "Print Format", "Role", "Module Def", "Communication", "ToDo", "Version", "User"),
    *("Error Log", "Activity Log", "Notification Log", "Email Queue", "DocShare", "View Log"),
}
_SET_ONCE = (("creation", "Created On", "Datetime"), ("owner", "Created By", "Data"))


def check_links(site: "Site", call: Call, document: Document) -> None:
    """Links to what is not there; takes over what fields fetch from what is linked."""
    missing: list[str] = []
    cancelled: list[str] = []
    for one in document.family():
        for entry in (*one.doctype.of_type("Link"), *one.doctype.of_type("Dynamic Link")):
            _check_link(site, call, document, one, entry, missing, cancelled)
    if missing:
        call.refuse(f"Could not find {', '.join(missing)}", "LinkValidationError")
    if cancelled:
        call.refuse(f"Cannot link cancelled document: {', '.join(cancelled)}", "CancelledLinkError")


def _check_link(
    site: "Site",
    call: Call,
    document: Document,
    one: Document,
    entry: Row,
    missing: list[str],
    cancelled: list[str],
) -> None:
    field, value = entry["fieldname"], one[entry["fieldname"]]
    if not value:
        return
    target = entry.get("options")
    if entry["fieldtype"] == "Dynamic Link":
        target = one[str(entry.get("options"))]
        if not target:
            call.refuse(f"{one.doctype.label(str(entry.get('options')))} must be set first")
    told = f"{_where(one)}{entry.get('label') or field}: {value}"
    if target not in site.schema:
        if entry["fieldtype"] == "Dynamic Link":
            call.refuse(f"DocType {target} not found", "DoesNotExistError")
        return
    linked = site.schema[str(target)]
    if linked.is_single or linked.definition.get("is_virtual"):
        return
    found = site.tables.row(linked.name, cstr(value))
    if found is None:
        # Where a link fetches fields of what it links to, Frappe forgets to look if that is there.
        if not (site.unrecorded(linked.name) or _fetching(one, field)):
            missing.append(told)
            one[field] = None
        return
    one[field] = found["name"]
    if linked.name not in _UNCOUNTED and not one.doctype.is_child:
        site.linked[linked.name, found["name"]] += 1
    _fetch(one, field, found)
    submittable = document.doctype.is_submittable and linked.is_submittable
    if submittable and field != "amended_from" and found.get("docstatus") == 2:
        cancelled.append(told)


def _fetching(one: Document, field: str) -> list[Row]:
    """The fields whose values come along with that link."""
    return [
        entry
        for entry in one.doctype.fields
        if str(entry.get("fetch_from") or "").startswith(f"{field}.")
        and not (entry.get("fetch_if_empty") and one[entry["fieldname"]])
    ]


def _fetch(one: Document, field: str, found: Row) -> None:
    for entry in _fetching(one, field):
        name = str(entry["fetch_from"]).partition(".")[2]
        if name in found and (one.is_new or one.docstatus != 1 or entry.get("allow_on_submit")):
            one[entry["fieldname"]] = found[name]


def _where(one: Document) -> str:
    return f"Row #{one['idx']}: " if one["parentfield"] else ""


def check_mandatory(call: Call, document: Document) -> None:
    missing = [pair for one in document.family() for pair in _missing(one)]
    if missing:
        for _, told in missing:
            call.tell(told)
        fields = ", ".join(field for field, _ in missing)
        name = document["name"]
        raise Refusal("MandatoryError", f"[{document.doctype.name}, {name}]: {fields}")


def _missing(one: Document) -> list[tuple[str, str]]:
    missing = []
    for entry in one.doctype.fields:
        field, label = entry["fieldname"], entry.get("label")
        if not entry.get("reqd"):
            continue
        if entry["fieldtype"] in TABLE_TYPES:
            if not one.rows[field]:
                missing.append((field, f"Error: Data missing in table: {label}"))
        elif entry["fieldtype"] in NO_VALUE or _has_content(entry, one[field]):
            continue
        elif one["parentfield"]:
            row = f"Error: {bold(one.doctype.name)} Row #{one['idx']}: Value missing for: {label}"
            missing.append((field, row))
        else:
            missing.append((field, f"Error: Value missing for {one.doctype.name}: {label}"))
    return missing


def _has_content(entry: Row, value: Any) -> bool:
    text = cstr(value)
    shows = entry["fieldtype"] == "Text Editor" or entry.get("options") == "HTML"
    return bool(_TAG.sub("", text).strip()) or (shows and "<img" in text)


def make_plain(call: Call, document: Document) -> None:
    """Numbers become numbers, whatever was sent, and empty dates nothing."""
    for one in document.family():
        for entry in one.doctype.stored:
            field, kind = entry["fieldname"], kind_of(entry["fieldtype"])
            value = one[field]
            if isinstance(value, list):
                call.refuse(f"Value for {entry.get('label')} cannot be a list")
            if entry["fieldtype"] == "Check":
                one[field] = int(bool(cint(value)))
            elif entry["fieldtype"] == "Rating":  # between no star and all of them
                one[field] = max(0, min(flt(value), 1))
            elif entry["fieldtype"] == "JSON" and isinstance(value, dict):
                one[field] = json.dumps(value, separators=(",", ":"))
            elif kind == "int":
                one[field] = cint(value)
            elif kind == "float":  # rounded where it is kept, not in the answer
                one[field] = flt(value)
            elif (value == "" and kind != "text") or (
                entry.get("unique") and not cstr(value).strip()
            ):
                one[field] = None


def check_unique(site: "Site", call: Call, document: Document) -> None:
    """What is unique but the name: another document with the value refuses this one."""
    for entry in document.doctype.stored:
        field, value = entry["fieldname"], document[entry["fieldname"]]
        if not entry.get("unique") or value in (None, ""):
            continue
        others = site.tables.rows(document.doctype.name, **{field: value})
        if any(other["name"] != document.name for other in others):
            call.tell(f"{entry.get('label')} must be unique")
            error = f"IntegrityError(1062, \"Duplicate entry '{value}' for key '{field}'\")"
            told = f"({document.doctype.name!r}, {document.name!r}, {error})"
            raise Refusal("UniqueValidationError", told)


def check_values(call: Call, document: Document) -> None:
    """E-mail addresses, choices, signs and lengths; cleans markup that could run."""
    for one in document.family():
        _check_phones(call, one)
        _check_data(call, one)
        _check_selects(call, one)
        _check_signs(call, one)
        _check_lengths(call, one)
        _keep_autoname_field(one)
        _sanitize(one)


def _check_phones(call: Call, one: Document) -> None:
    """Of a field for phone numbers, which has the country's code in front."""
    for entry in one.doctype.of_type("Phone"):
        field, number = entry["fieldname"], cstr(one[entry["fieldname"]])
        if not number or _INTERNATIONAL.fullmatch(number):
            continue
        told, title = (
            f"Please select a country code for field {bold(field)}.",
            "Country Code Required",
        )
        if number.lstrip().startswith("+") or not re.search(r"\d{2}", number):
            told = f"Phone Number {bold(number)} set in field {bold(field)} is not valid."
            title = "Invalid Phone Number"
        call.refuse(told, "InvalidPhoneNumberError", title=title)


def _check_data(call: Call, one: Document) -> None:
    for entry in one.doctype.of_type("Data"):
        value, options = cstr(one[entry["fieldname"]]), entry.get("options")
        if entry.get("oldfieldtype") not in (None, "", "Data"):
            continue
        if options == "Email" and value not in ("Administrator", "Guest"):
            for address in filter(None, map(str.strip, re.split(r"[,\n]", value))):
                if not _EMAIL.fullmatch(address.rpartition("<")[2].removesuffix(">")):
                    shown = escape(address).replace("&#x27;", "&apos;")
                    told = f"{shown} is not a valid Email Address"
                    call.refuse(told, "InvalidEmailAddressError")
        elif options == "URL" and value and not (urlparse(value).netloc or value[0] == "/"):
            call.refuse(f"'{bold(value)}' is not a valid URL")
        elif options == "Name" and value and not _PERSON.match(value.strip()):
            call.refuse(f"{value.strip()} is not a valid Name", "InvalidNameError")
        elif options == "Phone" and value and not re.match(_PHONE, value.strip()):
            told = f"{value.strip()} is not a valid Phone Number"
            call.refuse(told, "InvalidPhoneNumberError")


def _check_selects(call: Call, one: Document) -> None:
    for entry in one.doctype.of_type("Select"):
        field, options = entry["fieldname"], entry.get("options")
        if field == "naming_series" or not one[field] or not options:
            continue
        choices = str(options).split("\n")
        value = cstr(one[field]).strip()
        one[field] = value
        if any(choices) and value not in choices:
            row = f"Row #{one['idx']}:" if one["parentfield"] else ""
            listed = '", "'.join(choices)
            label = one.doctype.label(field)
            call.refuse(f'{row} {label} cannot be "{value}". It should be one of "{listed}"')


def _check_signs(call: Call, one: Document) -> None:
    for entry in one.doctype.of_type("Int", "Float", "Currency"):
        if entry.get("non_negative") and flt(one[entry["fieldname"]]) < 0:
            label = bold(entry.get("label"))
            told = f"Value cannot be negative for {one.doctype.name}: {label}"
            if one["parentfield"]:
                row = f"{bold(one.doctype.name)} Row #{one['idx']}"
                told = f"{row}: Value cannot be negative for {label}"
            call.refuse(told, "NonNegativeError", title="Negative Value")


def _check_lengths(call: Call, one: Document) -> None:
    if one.doctype.is_single:
        return
    for entry in one.doctype.stored:
        field, kind = entry["fieldname"], entry["fieldtype"]
        value, longest = one[field], 0
        if kind in SHORT_TEXTS:
            longest = cint(entry.get("length")) or 140
            over = len(cstr(value)) > longest
        elif kind == "Int":
            longest = 2**63 - 1 if cint(entry.get("length")) > 11 else _LARGEST
            over = abs(cint(value)) > longest
        else:
            continue
        if over:
            shown = cint(value) if kind == "Int" else value
            where = f"{one.doctype.name} {one['name']}"
            if one["parentfield"]:
                where = f"{one.doctype.name}, Row {one['idx']}"
            call.refuse(
                f"{where}: '{bold(entry.get('label'))}' ({shown}) will get truncated,"
                f" as max characters allowed is {longest}",
                "CharacterLengthExceededError",
                title="Value too big",
            )


def _keep_autoname_field(one: Document) -> None:
    """The field that names a document is always its name."""
    field = one.doctype.autoname.partition("field:")[2]
    if field and one.name:
        one[field] = one.name


def _sanitize(one: Document) -> None:
    for entry in one.doctype.stored:
        value = one[entry["fieldname"]]
        if not isinstance(value, str) or not is_markup(value):
            continue
        is_raw = entry["fieldtype"] in _RAW or entry.get("options") == "Email"
        if entry.get("ignore_xss_filter") or is_raw or one.docstatus == 2:
            continue
        if one.docstatus == 1 and not entry.get("allow_on_submit"):
            continue
        one[entry["fieldname"]] = clean(value, strip=one.doctype.major >= SIXTEEN)


def check_constants(call: Call, document: Document) -> None:
    """Fields that are set only once stay as they were."""
    if document.before is None:
        return
    once = [
        (entry["fieldname"], document.doctype.label(entry["fieldname"]), entry["fieldtype"])
        for entry in document.doctype.fields
        if entry.get("set_only_once") and entry["fieldtype"] not in NO_VALUE
    ]
    for field, label, fieldtype in (*once, *_SET_ONCE):
        kind = kind_of(fieldtype)
        if stored(kind, document[field]) != stored(kind, document.before[field]):
            told = f"Value cannot be changed for {bold(label)}"
            call.refuse(told, "CannotChangeConstantError")


def check_after_submit(call: Call, document: Document) -> None:
    """Of a submitted document only fields change that allow it."""
    if document.before is None:
        return
    _check_unchanged(call, document, document.before)
    old = {one.name: one for one in document.before.children()}
    for field, rows in document.rows.items():
        entry = document.doctype.field(field) or {}
        if not entry.get("allow_on_submit") and len(rows) != len(document.before.rows[field]):
            counts = (len(document.before.rows[field]), len(rows))
            _refuse_change(call, document, entry, *counts)
        for row in rows:
            if row.name in old and not row.is_new:
                _check_unchanged(call, row, old[row.name])


def _check_unchanged(call: Call, now: Document, before: Document) -> None:
    for entry in now.doctype.with_value:
        field, kind = entry["fieldname"], kind_of(entry["fieldtype"])
        if entry.get("allow_on_submit") or entry.get("is_virtual"):
            continue
        new, old = stored(kind, now[field]), stored(kind, before[field])
        if (new or old) and new != old:
            _refuse_change(call, now, entry, old, new)


def _refuse_change(call: Call, one: Document, entry: Row, old: Any, new: Any) -> None:
    row = f"Row #{one['idx']}:" if one["parent"] else ""
    call.refuse(
        f"{row} Not allowed to change {bold(entry.get('label'))} after submission"
        f" from {bold(old)} to {bold(new)}",
        "UpdateAfterSubmitError",
        title="Cannot Update After Submit",
    )

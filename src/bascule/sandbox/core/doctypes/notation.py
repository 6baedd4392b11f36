"""The notation of the DocType files, and its way into Frappe's JSON shape. Knows no DocType itself.

    Module Selling
    DocType Customer
    @ autoname naming_series:
    @ flags allow_rename track_changes
    + Sales User rwcpeq
    + Sales User r @1
    + Desk User rw own
      customer_name Data reqd
      status Select[Open|Closed] "State of Affairs" = Open
      base_total, base_net_total Company Currency read_only

`@` sets a property, `+` grants a role its rights, a letter each (an `@1` names the permission
level, `own` keeps them to what the user made), and an indented line declares one or more fields:
names, type, [options], attributes, "label", = default. `-` names fields that a later version does
not have any more. A label that is not given is the field's
name with capitals. `Company Currency` is Frappe's Currency in that of the document's company.
"""

import re
from collections.abc import Iterator
from typing import Any

LAYOUT_TYPES = ("Section Break", "Column Break", "Tab Break")
FIELD_TYPES = (
    *LAYOUT_TYPES,
    *("Company Currency", "Attach Image", "Dynamic Link", "HTML Editor", "Long Text", "Read Only"),
    *("Small Text", "Table MultiSelect", "Text Editor", "Attach", "Autocomplete", "Button"),
    *("Check", "Code", "Color", "Currency", "Data", "Date", "Datetime", "Duration", "Float"),
    *("HTML", "Image", "Int", "JSON", "Link", "Password", "Percent", "Rating", "Select", "Table"),
    *("Text", "Time"),
)
RIGHTS = {
    "r": "read",
    "w": "write",
    "c": "create",
    "d": "delete",
    "s": "submit",
    "x": "cancel",
    "a": "amend",
    "p": "print",
    "e": "email",
    "q": "report",
    "i": "import",
    "o": "export",
    "h": "share",
    "l": "select",
}
ATTRIBUTES = {
    "reqd": "reqd",
    "unique": "unique",
    "read_only": "read_only",
    "hidden": "hidden",
    "no_copy": "no_copy",
    "set_only_once": "set_only_once",
    "allow_on_submit": "allow_on_submit",
    "list": "in_list_view",
    "index": "search_index",
    "virtual": "is_virtual",
    "non_negative": "non_negative",
    "if_empty": "fetch_if_empty",
    "any_user": "ignore_user_permissions",
    "markup": "ignore_xss_filter",
}
FLAGS = (
    *("istable", "issingle", "is_submittable", "is_tree", "is_virtual", "allow_rename"),
    *("track_changes", "track_seen", "quick_entry", "show_title_field_in_link", "in_create"),
    *("custom", "allow_import"),
)
# When Frappe's own DocTypes were made, long before the site: the definitions never change here.
BORN = "2013-01-10 16:34:14"
CHANGED = "2025-01-15 12:00:00"

_PERMISSION = re.compile(
    rf"(?P<role>.+?) (?P<rights>[{''.join(RIGHTS)}]+)(?: @(?P<level>\d))?(?P<own> own)?"
)
_FIELD = re.compile(
    r"(?P<names>\w+(?:, \w+)*) "
    rf"(?P<type>{'|'.join(sorted(FIELD_TYPES, key=len, reverse=True))})"
    r"(?:\[(?P<options>.*?)\](?=\s|$))?"
    r"(?P<attributes>(?: [\w=.]+)*?)"
    r"(?: \"(?P<label>[^\"]+)\")?"
    r"(?: = (?P<default>.+))?"
)


def parse(text: str, source: str) -> Iterator[dict[str, Any]]:
    """The definitions of one file; a line that cannot be read is a ValueError naming `source`."""
    module, definition = "", None
    for number, line in enumerate(text.splitlines(), start=1):
        word, _, rest = line.strip().partition(" ")
        if not word or word.startswith("#"):
            continue
        if word == "Module":
            module = rest
        elif word == "DocType" and not line.startswith(" "):
            if definition is not None:
                yield _finished(definition)
            definition = _blank(rest, module)
        elif definition is None:
            raise ValueError(f"{source}, line {number}: no DocType opened yet: {line}")
        else:
            try:
                _read_line(definition, line)
            except ValueError as error:
                raise ValueError(f"{source}, line {number}: {error}: {line}") from error
    if definition is not None:
        yield _finished(definition)


def _blank(name: str, module: str) -> dict[str, Any]:
    stamps = {"creation": BORN, "modified": CHANGED, "modified_by": "Administrator"}
    ordering = {"sort_field": "modified", "sort_order": "DESC"}
    return {
        **{"doctype": "DocType", "name": name, "owner": "Administrator", **stamps},
        **{"docstatus": 0, "idx": 0, "module": module, "engine": "InnoDB"},
        **dict.fromkeys(FLAGS, 0),
        **ordering,
        "fields": [],
        "permissions": [],
    }


def _read_line(definition: dict[str, Any], line: str) -> None:
    mark, _, rest = line.partition(" ")
    if mark == "@":
        _set_property(definition, *rest.split(" ", 1))
    elif mark == "+":
        definition["permissions"].append(_permission(rest))
    elif mark == "-":
        definition.setdefault("without", []).extend(rest.split(", "))
    else:
        definition["fields"].extend(_fields(line.strip()))


def _set_property(definition: dict[str, Any], key: str, value: str) -> None:
    if key == "flags":
        for flag in value.split():
            if flag not in FLAGS:
                raise ValueError(f"unknown flag {flag}")
            definition[flag] = 1
    elif key == "tree":
        definition.update(is_tree=1, nsm_parent_field=value)
    elif key == "sort":
        definition["sort_field"], definition["sort_order"] = value.split()
    else:
        definition[key] = value


def _permission(text: str) -> dict[str, Any]:
    match = _PERMISSION.fullmatch(text)
    if match is None:
        raise ValueError("not a permission")
    permission: dict[str, Any] = {"role": match["role"]}
    if match["level"]:
        permission["permlevel"] = int(match["level"])
    if match["own"]:
        permission["if_owner"] = 1
    return permission | {RIGHTS[letter]: 1 for letter in match["rights"]}


def _fields(text: str) -> Iterator[dict[str, Any]]:
    match = _FIELD.fullmatch(text)
    if match is None:
        raise ValueError("not a field")
    attributes = dict(_attribute(word) for word in match["attributes"].split())
    for name in match["names"].split(", "):
        label = match["label"] or _label(name)
        field: dict[str, Any] = {"fieldname": name, "label": label, "fieldtype": match["type"]}
        if match["options"]:
            field["options"] = match["options"].replace("|", "\n")
        if match["type"] == "Company Currency":
            plain = label.removeprefix("Base ")
            field.update(fieldtype="Currency", label=f"{plain} (Company Currency)")
            field["options"] = "Company:company:default_currency"
        if match["type"] in LAYOUT_TYPES and not match["label"]:
            del field["label"]
        if match["default"] is not None:
            field["default"] = match["default"]
        elif match["type"] == "Check":
            field["default"] = "0"
        yield field | attributes


def _label(name: str) -> str:
    words = name.replace("_", " ").title().split()
    return " ".join(word.lower() if word in ("And", "Of", "By", "For") else word for word in words)


def _attribute(word: str) -> tuple[str, Any]:
    key, given, value = word.partition("=")
    if given and key in ("length", "permlevel"):
        return key, int(value)
    if given and key == "precision":
        return key, value
    if given and key == "from":
        return "fetch_from", value
    if not given and key in ATTRIBUTES:
        return ATTRIBUTES[key], 1
    raise ValueError(f"unknown attribute {word}")


def _finished(definition: dict[str, Any]) -> dict[str, Any]:
    autoname = definition.get("autoname", "")
    rules = {
        "hash": "Random",
        "prompt": "Set by user",
        "naming_series:": 'By "Naming Series" field',
    }
    if autoname in rules:
        definition["naming_rule"] = rules[autoname]
    elif autoname.startswith("field:"):
        definition["naming_rule"] = "By fieldname"
    elif autoname:
        definition["naming_rule"] = "Expression (old style)"
    for order, field in enumerate(definition["fields"], start=1):
        field["idx"] = order
    return definition

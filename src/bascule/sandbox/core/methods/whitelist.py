"""The whitelisted methods: what may be called by name, by whom and with which HTTP methods."""

import inspect
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from bascule.sandbox.core.access.permissions import ADMINISTRATOR, GUEST
from bascule.sandbox.core.database.tables import Row
from bascule.sandbox.core.documents.events import OF_FRAPPE
from bascule.sandbox.core.errors import Call, Refusal, bold, python_error
from bascule.sandbox.core.site import Site
from bascule.sandbox.core.versions import SIXTEEN, TOLD

# Modules that are there and that a caller may have tried; what they hold may not be called.
_MODULES = {
    *("frappe", "frappe.api", "frappe.auth", "frappe.client", "frappe.core", "frappe.core.doctype"),
    *("frappe.database", "frappe.desk", "frappe.desk.form", "frappe.desk.query_report"),
    *("frappe.desk.reportview", "frappe.desk.search", "frappe.handler", "frappe.installer"),
    *("frappe.model", "frappe.model.document", "frappe.model.mapper", "frappe.model.workflow"),
    *("frappe.permissions", "frappe.sessions", "frappe.translate", "frappe.utils"),
    *("frappe.utils.data", "frappe.utils.file_manager", "frappe.utils.password"),
    *("frappe.utils.print_format", "frappe.utils.user", "erpnext", "erpnext.accounts"),
    *("erpnext.accounts.utils", "erpnext.buying", "erpnext.controllers", "erpnext.selling"),
    *("erpnext.setup", "erpnext.setup.utils", "erpnext.stock", "erpnext.stock.get_item_details"),
    *("erpnext.stock.utils", "erpnext.utilities"),
}
_TRUTHS = dict.fromkeys(("true", "t", "yes", "y", "on"), True)
_TRUTHS |= dict.fromkeys(("false", "f", "no", "n", "off"), False)


@dataclass
class Method:
    function: Callable[..., Any]
    verbs: tuple[str, ...]
    guests: bool


F = TypeVar("F", bound=Callable[..., Any])
METHODS: dict[str, Method] = {}
_ANY = ("GET", "POST", "PUT", "DELETE")


def whitelisted(
    name: str, verbs: tuple[str, ...] = _ANY, *, guests: bool = False
) -> Callable[[F], F]:
    """The function answers calls of that name; it takes the site, the call and its parameters."""

    def known(function: F) -> F:
        METHODS[name] = Method(function, verbs, guests)
        return function

    return known


def run(site: Site, call: Call, name: str, given: Row) -> Any:
    """The result of the method; parameters that it does not have are left out, as Frappe does."""
    method = METHODS.get(name)
    if method is None:
        _refuse_unknown(call, name)
        raise AssertionError
    if call.user == GUEST and not method.guests:
        not_whitelisted(call, name)
    if call.method not in method.verbs:
        call.refuse("Not permitted", "PermissionError")
    return call_function(site, call, name, given)


def call_function(site: Site, call: Call, name: str, given: Row) -> Any:
    """The same, without asking whether it may be called."""
    method = METHODS[name]
    signature = inspect.signature(method.function)
    wanted = list(signature.parameters.values())[2:]
    if any(one.kind is one.VAR_KEYWORD for one in wanted):
        return method.function(site, call, **given)
    missing = [one.name for one in wanted if one.default is one.empty and one.name not in given]
    if missing:
        text = _missing(name.rpartition(".")[2], missing)
        raise Refusal("TypeError", text, module="", status=500)
    names = {one.name for one in wanted}
    values = {key: value for key, value in given.items() if key in names}
    _check_types(wanted, values)
    return method.function(site, call, **values)


def _missing(function: str, names: list[str]) -> str:
    quoted_names = [repr(name) for name in names]
    listed = quoted_names[-1]
    if len(names) > 1:
        comma = "," if len(names) > 2 else ""
        listed = f"{', '.join(quoted_names[:-1])}{comma} and {listed}"
    plural = "s" if len(names) > 1 else ""
    return f"{function}() missing {len(names)} required positional argument{plural}: {listed}"


def _check_types(wanted: list[inspect.Parameter], values: Row) -> None:
    """Frappe converts what is annotated as a truth, and takes numbers for one as well."""
    for one in wanted:
        if one.annotation is not bool or one.name not in values:
            continue
        value = values[one.name]
        if isinstance(value, str):
            value = _TRUTHS.get(value.lower(), value)
        if isinstance(value, str):
            try:
                value = float(value)
            except ValueError:
                text = (
                    f"Argument '{one.name}' should be of type 'typing.Union[int, bool, float]'"
                    f" but got '{type(value).__name__}' instead."
                )
                raise Refusal("FrappeTypeError", text) from None
        values[one.name] = bool(value)


def module_of(site: Site, doctype: str) -> str:
    """The path of the Python module of a DocType."""
    name = site.doctype(Call(ADMINISTRATOR), doctype)
    module = str(name.definition.get("module") or "Core")
    app = "frappe" if module in OF_FRAPPE else "erpnext"
    scrubbed = [re.sub(r"[ -]", "_", one).lower() for one in (module, name.name)]
    return f"{app}.{scrubbed[0]}.doctype.{scrubbed[1]}.{scrubbed[1]}"


def not_whitelisted(call: Call, name: str) -> NoReturn:
    hint = " Login to access" if call.major >= SIXTEEN else ""
    call.refuse(
        f"<details><summary>You are not permitted to access this resource.{hint}</summary>"
        f"Function {bold(name)} is not whitelisted.</details>",
        "PermissionError",
        title="Method Not Allowed",
    )


def _refuse_unknown(call: Call, name: str) -> None:
    """What has no such app or function is 417; what is there but not for callers is 403."""
    app = name.partition(".")[0]
    module = name.rpartition(".")[0]
    modules = {known.rpartition(".")[0] for known in METHODS}
    reason = ""
    if "." not in name:
        reason = repr(name)
    elif name in modules:
        text = f"module '{name}' has no attribute '__module__'"
        raise Refusal("AttributeError", text, module="", status=500)
    elif app not in ("frappe", "erpnext"):
        reason = f"App {app} is not installed"
        told = call.tell(reason, indicator="red")
        told["raise_exception"] = 1
        told["__frappe_exc_id"] = "0" * 56
    elif module in modules or module in ("frappe", "erpnext"):
        reason = f"module '{module}' has no attribute '{name.rpartition('.')[2]}'"
    elif missing := _missing_module(module, modules):
        reason = f"No module named '{missing}'"
    if not reason:
        not_whitelisted(call, name)
    what = "method" if call.v2 else "method for command"
    call.refuse(f"Failed to get {what} {name} with {reason}")


def _missing_module(module: str, known: set[str]) -> str | None:
    """The first part of a module's path that no module of Frappe's or ERPNext's has, of many."""
    there = _MODULES | known | {one.rpartition(".")[0] for one in known}
    parts = module.split(".")
    paths = [".".join(parts[: count + 1]) for count in range(len(parts))]
    return next((path for path in paths if path not in there), None)


def parsed(value: Any) -> Any:
    """JSON in a text; what is no text stays."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise python_error(error) from error


@whitelisted("ping", guests=True)
@whitelisted("frappe.ping", guests=True)
@whitelisted("frappe.handler.ping", guests=True)
def ping(site: Site, call: Call) -> str:
    return "pong"


@whitelisted("frappe.auth.get_logged_user")
def get_logged_user(site: Site, call: Call) -> str:
    return call.user


@whitelisted("frappe.core.doctype.user.user.get_roles")
def get_roles(site: Site, call: Call, **given: Any) -> list[str]:
    """Of any user, for any user; `uid` is read from the request itself."""
    if "uid" not in given:
        raise python_error(KeyError("uid"))
    return sorted(site.permissions.roles(str(given["uid"])))


@whitelisted("frappe.client.get_time_zone", guests=True)
def get_time_zone(site: Site, call: Call) -> Row:
    return {"time_zone": site.time_zone}


@whitelisted("frappe.utils.change_log.get_versions")
def get_versions(site: Site, call: Call) -> Row:
    frappe, erpnext = TOLD[site.schema.major]
    return {
        "frappe": {
            "title": "Frappe Framework",
            "description": "Full stack web framework with Python, Javascript, MariaDB, Redis, Node",
            "branch": "",
            "version": frappe,
        },
        "erpnext": {
            "title": "ERPNext",
            "description": "ERP made simple",
            "branch": "",
            "version": erpnext,
        },
    }

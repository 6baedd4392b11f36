"""The methods that every document has and that callers may call on it."""

from collections.abc import Callable
from inspect import Parameter, signature
from typing import Any

from bascule.sandbox.core.database.tables import Row
from bascule.sandbox.core.documents import saving
from bascule.sandbox.core.documents.document import Document
from bascule.sandbox.core.documents.renaming import rename
from bascule.sandbox.core.errors import Call, Refusal
from bascule.sandbox.core.methods.whitelist import not_whitelisted, parsed, whitelisted
from bascule.sandbox.core.methods.writes import given
from bascule.sandbox.core.site import Site
from bascule.sandbox.core.values import sbool


def _submit(site: Site, call: Call, document: Document) -> Row:
    document["docstatus"] = 1
    return site.shown(call, saving.save(site, call, document))


def _cancel(site: Site, call: Call, document: Document) -> Row:
    document["docstatus"] = 2
    return site.shown(call, saving.save(site, call, document))


def _rename(
    site: Site,
    call: Call,
    document: Document,
    name: Any,
    merge: Any = False,
    force: Any = False,
    validate_rename: Any = True,
) -> None:
    about, forced = (document.doctype.name, document.name), bool(sbool(force))
    rename(site, call, *about, str(name), merge=merge, force=forced)


def _add_comment(
    site: Site,
    call: Call,
    document: Document,
    comment_type: Any = "Comment",
    text: Any = None,
    comment_email: Any = None,
    comment_by: Any = None,
) -> Row:
    values = {
        **{"comment_type": comment_type, "content": text or comment_type},
        **{"comment_email": comment_email or call.user, "comment_by": comment_by},
        **{"reference_doctype": document.doctype.name, "reference_name": document.name},
    }
    comment = saving.new(site, call, "Comment", values)
    return site.shown(call, saving.insert(site, call, comment, unchecked=True))


# Every document has these, and no caller may call them.
_OF_DOCUMENTS = {
    *("append", "as_dict", "as_json", "check_permission", "clear_cache", "db_get", "db_insert"),
    *("db_set", "db_update", "delete", "extend", "get", "get_all_children", "get_formatted"),
    *("get_password", "get_title", "get_url", "get_value", "has_permission", "insert", "is_new"),
    *("load_from_db", "lock", "notify_update", "reload", "remove", "run_method", "save", "set"),
    *("set_new_name", "unlock", "update", "validate_value"),
}


METHODS: dict[str, Callable[..., Any]] = {
    **{"submit": _submit, "cancel": _cancel, "rename": _rename, "add_comment": _add_comment}
}


def run(site: Site, call: Call, document: Document, method: str, given: Row) -> Any:
    """What the method gives back; a TypeError, as Python's, for parameters that do not fit."""
    function = METHODS[method]
    wanted = list(signature(function).parameters.values())[3:]
    about = f"Document.{method}()"
    for name in given:
        if all(name != one.name for one in wanted):
            told = f"{about} got an unexpected keyword argument '{name}'"
            raise Refusal("TypeError", told, module="", status=500)
    lacking = [one.name for one in wanted if one.default is Parameter.empty]
    if any(name not in given for name in lacking):
        told = f"{about} missing 1 required positional argument: '{lacking[0]}'"
        raise Refusal("TypeError", told, module="", status=500)
    return function(site, call, document, **given)


def check_callable(call: Call, method: str) -> None:
    """403 for what a document has and callers may not call, 404 for what it does not have."""
    if method in _OF_DOCUMENTS:
        not_whitelisted(call, f"frappe.model.document.{method}")
    if method not in METHODS:
        told = f"Method {method} not found"
        raise Refusal("NotFound", told, module="werkzeug.exceptions", status=404)


def _called(site: Site, call: Call, document: Document, method: Any, given: Any) -> Any:
    """The document as it is then stands in the answer beside what the method gives back."""
    if str(method) not in METHODS and str(method) not in _OF_DOCUMENTS:
        told = f"'{document.doctype.name.replace(' ', '')}' object has no attribute '{method}'"
        raise Refusal("AttributeError", told, module="", status=500)
    check_callable(call, str(method))
    result = run(site, call, document, str(method), given if isinstance(given, dict) else {})
    call.extras["docs"] = [site.shown(call, document)]
    return result


@whitelisted("run_doc_method")
@whitelisted("frappe.handler.run_doc_method")
def run_doc_method(
    site: Site,
    call: Call,
    method: Any,
    docs: Any = None,
    dt: Any = None,
    dn: Any = None,
    arg: Any = None,
    args: Any = None,
) -> Any:
    """Of a stored document, or of one that is sent whole and was not changed meanwhile."""
    document = site.document(call, dt, str(dn or dt)) if dt else given(site, call, docs)
    if not (dt or document.is_new):
        saving.check_latest(site, call, document, document["modified"])
    if not site.may(call, document, "read"):
        call.refuse("Not permitted", "PermissionError")
    return _called(site, call, document, method, parsed(args or arg))


@whitelisted("frappe.api.v2.run_doc_method")
def run_doc_method_v2(
    site: Site, call: Call, method: Any, document: Any, kwargs: Any = None
) -> Any:
    sent = given(site, call, document)
    if not sent.is_new:
        saving.check_latest(site, call, sent, sent["modified"])
    site.check(call, sent, "read" if call.method == "GET" else "write")
    return _called(site, call, sent, method, kwargs)

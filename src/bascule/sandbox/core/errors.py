"""How Frappe refuses: an exception's name, the HTTP status it carries, and what it tells the user.

A `Refusal` stands for any exception of the site, those of its database and of Python too; what it
looks like in an answer is the API's part.
"""

import secrets
from dataclasses import dataclass, field
from typing import Any, NoReturn
from urllib.parse import quote

from bascule.sandbox.core.messages import cleaned
from bascule.sandbox.core.versions import FIFTEEN, SIXTEEN

# Frappe's own exceptions; what is not named here carries 417, as ValidationError does.
_STATUS = {
    "AuthenticationError": 401,
    "CSRFTokenError": 400,
    "InvalidAuthorizationToken": 401,
    "PermissionError": 403,
    "DoesNotExistError": 404,
    "PageDoesNotExistError": 404,
    "NameError": 409,
    "DuplicateEntryError": 409,
    "QueryTimeoutError": 500,
    "SessionStopped": 503,
    "UnsupportedMediaType": 415,
}


class Refusal(Exception):
    """`kind` is the exception's class name, `module` where it lives, `text` what it says."""

    def __init__(
        self, kind: str, text: str = "", *, module: str = "frappe.exceptions", status: int = 0
    ) -> None:
        super().__init__(f"{kind}: {text}" if text else kind)
        self.kind = kind
        self.text = text
        self.module = module
        self.status = status or (_STATUS.get(kind, 417) if module == "frappe.exceptions" else 500)
        self.exc_id: str | None = None
        self.source: str | None = None
        self.debug: str | None = None
        self.untraced = False  # told without a traceback, whoever asks
        self.about: str | None = None  # the DocType of what is not there

    def line(self, major: int = FIFTEEN) -> str:
        """The last line of its traceback; version 16 has another driver for MariaDB."""
        if self.kind == "ImportError":  # of two lines, and this is the last
            return self.text
        module = self.module
        if module == "pymysql.err" and major >= SIXTEEN:
            module = "MySQLdb"
        name = f"{module}.{self.kind}" if module else self.kind
        return f"{name}: {self.text}" if self.text else name


def python_error(error: Exception, major: int = FIFTEEN) -> Refusal:
    """An exception of Python's own, which Frappe lets through as a 500. Version 16 runs on a newer
    Python, whose words are others.
    """
    kind = type(error)
    module = "" if kind.__module__ == "builtins" else kind.__module__
    module = "pymysql.err" if module == "sqlite3" else module
    text = str(error)
    if major >= SIXTEEN and text.startswith("argument of type"):
        text = text.replace("is not iterable", "is not a container or iterable")
    return Refusal(kind.__name__, text, module=module)


def database_error(kind: str, code: int | str, text: str) -> Refusal:
    """What MariaDB's driver raises: `pymysql.err.<kind>: (code, text)`."""
    return Refusal(kind, repr((code, text)), module="pymysql.err")


def not_found(doctype: str, name: object) -> Refusal:
    refusal = Refusal("DoesNotExistError", f"{doctype} {name} not found")
    refusal.about = doctype
    return refusal


def form_link(call: "Call", doctype: str, name: str) -> str:
    """A link to the form of a document: by version 16 the whole address of it."""
    if call.major < SIXTEEN:
        return f'<a href="/app/Form/{doctype}/{name}">{name}</a>'
    slug = quote(doctype.lower().replace(" ", "-"))
    return f'<a href="http://{call.host}/desk/{slug}/{quote(name)}">{name}</a>'


def bold(text: object) -> str:
    return f"<strong>{text}</strong>"


@dataclass
class Call:
    """One call to the site: who calls, and what the answer says besides its result.

    `messages` are shown to the user, `debug` to the developer; `webhooks` wait for the commit;
    `extras` stand in the answer beside its result; `upload` is a file's name and its content.
    `major` is Frappe's version, `host` what the caller calls the site. `sid` is that of the
    caller's session, if any; `signed_out`: the answer takes the session's cookies away.
    """

    user: str
    messages: list[dict[str, Any]] = field(default_factory=list)
    debug: list[str] = field(default_factory=list)
    error_message: str | None = None
    status: int = 200
    method: str = "GET"
    webhooks: list[Any] = field(default_factory=list)
    v2: bool = False
    extras: dict[str, Any] = field(default_factory=dict)
    upload: tuple[str, bytes] | None = None
    major: int = FIFTEEN
    host: str = "localhost"
    sid: str | None = None
    signed_out: bool = False

    def tell(
        self, message: str, *, title: str = "Message", indicator: str = "", alert: bool = False
    ) -> dict[str, Any]:
        """Adds a message to the answer."""
        told: dict[str, Any] = {"message": message, "title": title}
        if self.major >= SIXTEEN:
            told |= {"message": cleaned(message), "as_table": False}
        if indicator:
            told["indicator"] = indicator
        if alert:
            told["alert"] = 1
        self.messages.append(told)
        return told

    def refuse(
        self, message: str, kind: str = "ValidationError", *, title: str = "Message"
    ) -> NoReturn:
        """Frappe's `throw`: the message is told to the user and ends the call."""
        self.raise_told(Refusal(kind, message), title=title)

    def raise_told(
        self, refusal: Refusal, *, title: str = "Message", indicator: str = "red"
    ) -> NoReturn:
        """The same for an exception that is not one of Frappe's own."""
        told = self.tell(refusal.text, title=title, indicator=indicator)
        refusal.exc_id = secrets.token_hex(28)
        told["raise_exception"] = 1
        told["__frappe_exc_id"] = refusal.exc_id
        raise refusal

"""The names of a User, and its new password."""

from typing import TYPE_CHECKING

from bascule.sandbox.core.documents.document import Document
from bascule.sandbox.core.documents.events import on
from bascule.sandbox.core.errors import Call
from bascule.sandbox.core.values import cstr

if TYPE_CHECKING:
    from bascule.sandbox.core.site import Site


@on("User", "autoname")
def _name_user(site: "Site", call: Call, user: Document) -> None:
    if user["email"]:
        user["email"] = cstr(user["email"]).strip().lower()
        user["name"] = user["email"]


@on("User", "validate")
def _fill_user(site: "Site", call: Call, user: Document) -> None:
    if password := cstr(user["new_password"]):
        if password.strip("*"):
            site.tables.keep_password("User", user.name, "password", password)
        user["new_password"] = ""
    names = filter(None, (user["first_name"], user["last_name"]))
    user["full_name"] = " ".join(map(cstr, names))
    if user.is_new and not user["username"] and user["first_name"]:
        user["username"] = cstr(user["first_name"]).replace(" ", "_").replace("-", "_").lower()

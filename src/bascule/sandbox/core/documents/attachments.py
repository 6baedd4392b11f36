"""Files with their contents, and the documents that they are attached to.

Follows frappe/core/doctype/file; what a disk holds for Frappe is a table here.
"""

import base64
import binascii
import hashlib
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import quote

from bascule.sandbox.core.documents.desk_doctypes import add_comment
from bascule.sandbox.core.documents.document import Document
from bascule.sandbox.core.documents.events import on
from bascule.sandbox.core.errors import Call, Refusal, python_error
from bascule.sandbox.core.values import cint, cstr

if TYPE_CHECKING:
    from bascule.sandbox.core.site import Site

_REMOTE = ("http://", "https://", "/api/method/")


def content_of(site: "Site", call: Call, path: str) -> bytes:
    """What a path below /files or /private/files holds; 404, or 403 for who may not read it."""
    found = site.tables.run("SELECT `content` FROM `__Files` WHERE `file_url` = ?", (path,))
    kept = found.fetchone()
    if kept is None:
        raise Refusal("DoesNotExistError")
    if path.startswith("/private/"):
        rows = site.tables.rows("File", file_url=path)
        files = [Document(site.schema["File"], row) for row in rows]
        if all(site.access.denied(call.user, file, "read") is not None for file in files):
            raise Refusal("Forbidden", module="werkzeug.exceptions", status=403)
    return bytes(kept[0])


@on("File", "before_insert")
def _fill_file(site: "Site", call: Call, file: Document) -> None:
    url = cstr(file["file_url"])
    if url:
        file["is_private"] = int(url.startswith("/private"))
    if not file["file_name"] and not url:
        told = "Fields `file_name` or `file_url` must be set for File"
        call.refuse(told, "MandatoryError")
    file["file_name"] = cstr(file["file_name"] or url.rpartition("/")[2]).replace("/", "")
    if not file["folder"] and not cint(file["is_folder"]):
        file["folder"] = "Home/Attachments" if file["attached_to_doctype"] else "Home"
    file["file_type"] = PurePosixPath(file["file_name"]).suffix[1:].upper() or None
    content = _bytes(file)
    if content and not cint(file["is_folder"]) and not url.startswith(_REMOTE):
        _keep(site, file, content)


def _bytes(file: Document) -> bytes:
    given = file["content"] or b""
    content = given if isinstance(given, bytes) else cstr(given).encode()
    if not cint(file["decode"]) and file["decode"] not in ("true", "True"):
        return content
    try:
        return base64.b64decode(content.rpartition(b",")[2])
    except binascii.Error as error:
        raise python_error(error) from error


def _keep(site: "Site", file: Document, content: bytes) -> None:
    """Under a name that is free; what is there already is not kept twice."""
    file["file_size"] = len(content)
    file["content_hash"] = hashlib.md5(content, usedforsecurity=False).hexdigest()
    same = {"content_hash": file["content_hash"], "is_private": cint(file["is_private"])}
    twins = site.tables.rows("File", **same)
    if twins:
        file["file_url"] = twins[0]["file_url"]
        return
    folder = "/private/files" if cint(file["is_private"]) else "/files"
    name = PurePosixPath(file["file_name"])
    free = site.tables.run("SELECT 1 FROM `__Files` WHERE `file_url` = ?", (f"{folder}/{name}",))
    if free.fetchone():
        file["file_name"] = f"{name.stem}{file['content_hash'][-6:]}{name.suffix}"
    file["file_url"] = f"{folder}/{file['file_name']}"
    site.tables.run("INSERT OR REPLACE INTO `__Files` VALUES (?, ?)", (file["file_url"], content))


@on("File", "validate")
def _check_file(site: "Site", call: Call, file: Document) -> None:
    if file["attached_to_doctype"] and not file["attached_to_name"]:
        call.refuse("Attached To Name must be a string or an integer")
    url = cstr(file["file_url"])
    if url and not url.startswith((*_REMOTE, "/files/", "/private/files/")):
        call.refuse("URL must start with http:// or https://", title="Invalid URL")


@on("File", "after_insert")
def _tell_attachment(site: "Site", call: Call, file: Document) -> None:
    if not cint(file["is_folder"]):
        lock = ' <i class="fa fa-lock text-warning"></i>' if cint(file["is_private"]) else ""
        place = quote(cstr(file["file_url"] or file["file_name"]), safe="/:")
        link = f"<a href='{place}' target='_blank'>{file['file_name']}</a>{lock}"
        _comment(site, call, file, "Attachment", f"Added {link}")


@on("File", "on_trash")
def _tell_removal(site: "Site", call: Call, file: Document) -> None:
    if file.name in ("Home", "Home/Attachments"):
        call.refuse("Cannot delete Home and Attachments folders")
    url = cstr(file["file_url"])
    if url and len(site.tables.rows("File", file_url=url)) == 1:
        site.tables.run("DELETE FROM `__Files` WHERE `file_url` = ?", (url,))
    _comment(site, call, file, "Attachment Removed", f"Removed {file['file_name']}")


def _comment(site: "Site", call: Call, file: Document, kind: str, text: str) -> None:
    about, name = cstr(file["attached_to_doctype"]), cstr(file["attached_to_name"])
    if about in site.schema and name and site.load(about, name) is not None:
        add_comment(site, call, about, name, kind, text)

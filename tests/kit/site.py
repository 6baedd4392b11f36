"""A site, and somebody at work on it."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from bascule.sandbox import Running, SandboxThread, Snapshot
from tests.kit.api import Answer, Api
from tests.kit.hub import Scope


class Refused(Exception):
    """The site said no: its status, and what it said."""


class Erp:
    """Somebody who works in ERPNext itself: its Administrator, or another user of the site."""

    def __init__(self, site: Running, user: str = "admin") -> None:
        self.site = site
        self.user = site.users[user]

    @property
    def token(self) -> str:
        return f"token {self.user.api_key}:{self.user.api_secret}"

    def answer(self, method: str, path: str, body: Any = None, **query: Any) -> Answer:
        """Whatever the site says. `path` as in a browser's address, names in it quoted."""
        headers = {"Authorization": self.token}
        return Api(self.site.url).ask(method, path, body, headers=headers, **query)

    def ask(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        answer = self.answer(method, path, body, **query)
        if answer.status >= 300:
            raise Refused(answer.status, answer.body[:500])
        told = answer.json
        return told.get("data", told.get("message"))

    def read(self, doctype: str, name: str) -> Any:
        return self.ask("GET", at(doctype, name))

    def find(self, doctype: str, name: str) -> Any:
        """None where it is not there."""
        try:
            return self.read(doctype, name)
        except Refused as refused:
            if refused.args[0] == 404:
                return None
            raise

    def list(self, doctype: str, filters: Any = (), fields: Any = ("name",)) -> Any:
        body = {"doctype": doctype, "filters": filters, "fields": fields, "limit_page_length": 0}
        return self.ask("POST", "/api/method/frappe.client.get_list", body)

    def names(self, doctype: str) -> set[str]:
        return {row["name"] for row in self.list(doctype)}

    def create(self, doctype: str, **values: Any) -> Any:
        return self.ask("POST", at(doctype), values)

    def change(self, doctype: str, name: str, **values: Any) -> Any:
        return self.ask("PUT", at(doctype, name), values)

    def delete(self, doctype: str, name: str) -> Any:
        return self.ask("DELETE", at(doctype, name))

    def rename(self, doctype: str, old: str, new: str, merge: bool = False) -> str:
        body = {"doctype": doctype, "old_name": old, "new_name": new, "merge": int(merge)}
        return str(self.ask("POST", "/api/method/frappe.client.rename_doc", body))


def at(doctype: str, name: str | None = None) -> str:
    """The path of a DocType, or of a document."""
    path = f"/api/resource/{quote(doctype)}"
    return path if name is None else f"{path}/{quote(name, safe='')}"


def site_fixture(scope: Scope, **given: Any) -> Any:
    """A fixture: one site of the demo company for all tests of this scope."""

    @pytest.fixture(scope=scope)
    def site(erpnext_snapshot: Snapshot) -> Iterator[Running]:
        with SandboxThread(erpnext_snapshot, **given) as running:
            yield running

    return site

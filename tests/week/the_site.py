"""The site of the week: over HTTP with Frappe's own methods, and past them where HTTP cannot.

A sandbox has routes for what goes past HTTP. A real site is named by settings:
BASCULE_WEEK_SITE: a file of JSON with `base_url` and `admin`: {`key`, `secret`};
BASCULE_WEEK_RUN: a command that runs the Python of its standard input inside the site, `frappe`
imported, and commits, as `bench --site NAME console` does.
Its scheduler is stopped for as long: a job may change what was fetched before it is compared.
"""

import json
import os
import shlex
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import quote

Row = dict[str, Any]
# Read before the tests take a developer's settings away.
REAL = os.environ.get("BASCULE_WEEK_SITE")
RUN = os.environ.get("BASCULE_WEEK_RUN", "")


class WeekSite:
    def __init__(self, url: str, key: str, secret: str, run: str = "") -> None:
        """`run`: see BASCULE_WEEK_RUN; without it the site is a sandbox."""
        self.url, self.key, self.secret = url, key, secret
        self._run = shlex.split(run)

    @classmethod
    def from_settings(cls) -> "WeekSite":
        told = json.loads(Path(str(REAL)).read_text(encoding="utf-8"))
        return cls(told["base_url"], told["admin"]["key"], told["admin"]["secret"], RUN)

    @property
    def is_sandbox(self) -> bool:
        return not self._run

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"token {self.key}:{self.secret}"}

    def ask(self, verb: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {**self.headers, "Content-Type": "application/json"}
        url = self.url + quote(path, safe="/?&=%")
        request = urllib.request.Request(url, method=verb, data=data, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{verb} {path}: {error.code} {error.read()[-600:]!r}") from error

    def make(self, doctype: str, **values: Any) -> Row:
        return self.ask("POST", f"/api/resource/{doctype}", values)["data"]

    def read(self, doctype: str, name: str) -> Row:
        path = f"/api/resource/{quote(doctype, safe='')}/{quote(name, safe='')}"
        return self.ask("GET", path)["data"]

    def change(self, doctype: str, name: str, **values: Any) -> Row:
        path = f"/api/resource/{quote(doctype, safe='')}/{quote(name, safe='')}"
        return self.ask("PUT", path, values)["data"]

    def delete(self, doctype: str, name: str) -> None:
        self.call("frappe.client.delete", doctype=doctype, name=name)

    def call(self, function: str, /, **values: Any) -> Any:
        return self.ask("POST", f"/api/method/{function}", values).get("message")

    def rows(self, doctype: str, *fields: str, **filters: Any) -> list[Row]:
        asked = {"doctype": doctype, "fields": list(fields), "filters": filters}
        return self.call("frappe.client.get_list", **asked, limit_page_length=0)

    def rename(self, doctype: str, old: str, new: str, *, merge: bool = False) -> None:
        """By force, as a Warehouse needs it."""
        given = {"name": new, "merge": int(merge), "force": 1}
        self.call("run_doc_method", dt=doctype, dn=old, method="rename", args=json.dumps(given))

    def job(self, path: str) -> None:
        if self.is_sandbox:
            self.ask("POST", "/sandbox/jobs", {"job": path})
        else:
            self._inside(f"frappe.get_attr({path!r})()")

    def sql(self, statement: str, *values: Any) -> None:
        """`?` stands for each value."""
        if self.is_sandbox:
            self.ask("POST", "/sandbox/sql", {"sql": statement, "values": values})
        else:
            self._inside(f"frappe.db.sql({statement.replace('?', '%s')!r}, {values!r})")

    def _inside(self, snippet: str) -> None:
        subprocess.run(self._run, input=snippet, text=True, check=True, timeout=300)

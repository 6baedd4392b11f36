"""What can be written to a site. Each request is sent once, never again by itself: whether one
without an answer was carried out is for the caller to find out.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from bascule.frappe._client import Asking, document_path, fits_a_path
from bascule.frappe._http.response import Asked, member
from bascule.frappe._lists.filters import site_value


class Writing(Asking):
    """Answers are what the site stored, which may lack what was sent: see `dropped_fields`."""

    async def insert(self, doctype: str, values: Mapping[str, Any]) -> dict[str, Any]:
        asked = self._asked("create", doctype)
        writing = self.wire.write("POST", document_path(doctype), asked, json=site_value(values))
        return await self._stored(writing, asked)

    async def update(
        self, doctype: str, name: str, values: Mapping[str, Any], *, based_on: str | None = None
    ) -> dict[str, Any]:
        """`based_on`: the `modified` that the change was made on; ChangedMeanwhile if it moved."""
        asked = self._asked("write", doctype, name)
        body = {**site_value(values), **({"modified": based_on} if based_on else {})}
        return await self._put(doctype, name, body, asked)

    async def delete(self, doctype: str, name: str) -> None:
        asked = self._asked("delete", doctype, name)
        if fits_a_path(name):
            writing = self.wire.write("DELETE", document_path(doctype, name), asked)
        else:
            said = {"doctype": doctype, "name": name}
            path = "/api/method/frappe.client.delete"
            writing = self.wire.write("POST", path, asked, json=said)
        await self._explained(writing, "delete", doctype)

    async def submit(self, doctype: str, name: str) -> dict[str, Any]:
        asked = self._asked("submit", doctype, name)
        return await self._put(doctype, name, {"docstatus": 1}, asked)

    async def _put(
        self, doctype: str, name: str, values: Mapping[str, Any], asked: Asked
    ) -> dict[str, Any]:
        if fits_a_path(name):
            path = document_path(doctype, name)
            return await self._stored(self.wire.write("PUT", path, asked, json=values), asked)
        said = {"doctype": doctype, "name": name, "fieldname": values}
        writing = self.wire.write("POST", "/api/method/frappe.client.set_value", asked, json=said)
        return await self._stored(writing, asked, "message")

    async def cancel(self, doctype: str, name: str) -> dict[str, Any]:
        asked = self._asked("cancel", doctype, name)
        body = {"doctype": doctype, "name": name}
        writing = self.wire.write("POST", "/api/method/frappe.client.cancel", asked, json=body)
        return await self._stored(writing, asked, "message")

    async def insert_many(self, docs: Iterable[Mapping[str, Any]]) -> list[str]:
        """All or none of them, each with its `doctype`; their names. Frappe takes 200 at once."""
        names = await self.call("frappe.client.insert_many", docs=list(docs))
        return [str(name) for name in names]

    async def rename(self, doctype: str, old: str, new: str) -> str:
        """The new name as the site has it."""
        asked = self._asked("write", doctype, old)
        body = {"doctype": doctype, "old_name": old, "new_name": new}
        writing = self.wire.write("POST", "/api/method/frappe.client.rename_doc", asked, json=body)
        answer = await self._explained(writing, "write", doctype)
        return str(member(answer, asked, "message"))

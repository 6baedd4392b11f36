"""What can be written to a site. Each request is sent once and never repeated: whether one without
an answer was carried out is for the caller to find out.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from bascule.frappe._client import Client, document_path, fits_a_path
from bascule.frappe._http.models import Operation, Response
from bascule.frappe._http.response import member
from bascule.frappe._lists.filters import site_value


class Writes(Client):
    """Each method returns what the site stored, which may lack what was sent (`dropped_fields`)."""

    async def insert(self, doctype: str, values: Mapping[str, Any]) -> dict[str, Any]:
        operation = self._operation("create", doctype)
        body = site_value(values)
        writing = self.session.write("POST", document_path(doctype), operation, json=body)
        return await self._stored(writing, operation)

    async def update(
        self, doctype: str, name: str, values: Mapping[str, Any], *, based_on: str | None = None
    ) -> dict[str, Any]:
        """ChangedMeanwhile where `modified` is no longer `based_on`, if that is given."""
        operation = self._operation("write", doctype, name)
        body = {**site_value(values), **({"modified": based_on} if based_on else {})}
        return await self._put(doctype, name, body, operation)

    async def delete(self, doctype: str, name: str) -> None:
        operation = self._operation("delete", doctype, name)
        if fits_a_path(name):
            writing = self.session.write("DELETE", document_path(doctype, name), operation)
        else:
            body = {"doctype": doctype, "name": name}
            writing = self._call_client("delete", operation, body)
        await self._explained(writing, "delete", doctype)

    async def submit(self, doctype: str, name: str) -> dict[str, Any]:
        operation = self._operation("submit", doctype, name)
        return await self._put(doctype, name, {"docstatus": 1}, operation)

    async def _put(
        self, doctype: str, name: str, values: Mapping[str, Any], operation: Operation
    ) -> dict[str, Any]:
        if fits_a_path(name):
            path = document_path(doctype, name)
            writing = self.session.write("PUT", path, operation, json=values)
            return await self._stored(writing, operation)
        body = {"doctype": doctype, "name": name, "fieldname": values}
        writing = self._call_client("set_value", operation, body)
        return await self._stored(writing, operation, "message")

    async def cancel(self, doctype: str, name: str) -> dict[str, Any]:
        operation = self._operation("cancel", doctype, name)
        writing = self._call_client("cancel", operation, {"doctype": doctype, "name": name})
        return await self._stored(writing, operation, "message")

    async def insert_many(self, docs: Iterable[Mapping[str, Any]]) -> list[str]:
        """All or none of them, each with its `doctype`; their names. Frappe takes 200 at once."""
        names = await self.call("frappe.client.insert_many", docs=list(docs))
        return [str(name) for name in names]

    async def rename(self, doctype: str, old: str, new: str) -> str:
        """The new name as the site has it."""
        operation = self._operation("write", doctype, old)
        body = {"doctype": doctype, "old_name": old, "new_name": new}
        writing = self._call_client("rename_doc", operation, body)
        response = await self._explained(writing, "write", doctype)
        return str(member(response, operation, "message"))

    async def _call_client(
        self, method: str, operation: Operation, body: Mapping[str, Any]
    ) -> Response:
        """A method of frappe/client.py."""
        path = f"/api/method/frappe.client.{method}"
        return await self.session.write("POST", path, operation, json=body)

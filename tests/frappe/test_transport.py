"""A site is reached through a transport of the caller's own: no socket, no key."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from bascule.frappe import NotFound, Request, Response, Site, SiteDown

Answering = Callable[[Request], tuple[int, object]]
ROOT = Path(__file__).parents[2]


class FromMemory:
    """Answers what a function says, and remembers what was sent."""

    def __init__(self, answering: Answering) -> None:
        self.answering = answering
        self.sent: list[Request] = []
        self.steps: list[str] = []

    async def open(self) -> None:
        self.steps.append("open")

    async def close(self) -> None:
        self.steps.append("close")

    async def send(self, request: Request) -> Response:
        self.sent.append(request)
        status, body = self.answering(request)
        if status == 0:
            raise SiteDown("Nobody there.", next_step="Plug it in.")
        headers = {"Content-Type": "application/json"}
        return Response(status, headers, json.dumps(body).encode(), 0.01)


async def test_document_is_read_through_a_transport_that_was_handed_in() -> None:
    transport = FromMemory(lambda request: (200, {"data": {"name": "BOLT"}}))
    async with Site("https://erp.example.com", transport=transport) as site:
        assert await site.document("Item", "BOLT") == {"name": "BOLT"}
    assert [(one.method, one.path) for one in transport.sent] == [
        ("GET", "/api/resource/Item/BOLT")
    ]
    assert transport.steps == ["open", "close"]


async def test_read_is_sent_again_through_a_transport_that_failed() -> None:
    outcomes = iter([(0, None), (503, {}), (200, {"message": "pong"})])
    transport = FromMemory(lambda request: next(outcomes))
    async with Site("https://erp.example.com", transport=transport) as site:
        assert await site.get("ping") == "pong"
    assert len(transport.sent) == 3


async def test_write_is_sent_once_and_told_apart_from_reads() -> None:
    transport = FromMemory(lambda request: (0, None))
    async with Site("https://erp.example.com", transport=transport) as site:
        with pytest.raises(SiteDown) as failed:
            await site.insert("Item", {"item_code": "BOLT"})
    assert failed.value.next_step == "Plug it in."
    assert [(one.method, one.reads) for one in transport.sent] == [("POST", False)]
    assert json.loads(transport.sent[0].body or b"") == {"item_code": "BOLT"}


async def test_refusal_through_a_transport_becomes_the_error_of_its_class() -> None:
    refusal = {"exc_type": "DoesNotExistError", "exception": "frappe.exceptions.DoesNotExistError"}
    transport = FromMemory(lambda request: (404, refusal))
    async with Site("https://erp.example.com", transport=transport) as site:
        with pytest.raises(NotFound):
            await site.document("Item", "NONE")


def test_key_and_secret_are_wanted_where_no_transport_is_handed_in() -> None:
    with pytest.raises(ValueError, match="must be given"):
        Site("https://erp.example.com")


def test_every_private_module_of_the_client_is_protected_by_the_linter() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = settings["tool"]["importlinter"]["contracts"]
    protected = {m for one in contracts for m in one.get("protected_modules", ())}
    private = {
        f"bascule.frappe.{path.stem}"
        for path in (ROOT / "src/bascule/frappe").glob("_[a-z]*")
        if path.name != "__init__.py"
    }
    assert private <= protected

"""The guard for any endpoint, as docs/webhooks.md shows it."""

import asyncio
import json
import re
import socket
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvicorn
from fastapi import FastAPI, Request
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bascule.inbox.frappe import get_webhook_address, validate_webhooks_request
from bascule.inbox.frappe.signatures import SIGNATURE, signature_of

DOCS = Path(__file__).parents[2] / "docs" / "webhooks.md"
BODY = b'{"doctype": "Customer", "name": "Odd \\"\\u00dc\\" Co"}'


def signed(secret: str, body: bytes = BODY) -> dict[str, str]:
    return {SIGNATURE: signature_of(secret.encode(), body).decode()}


@dataclass
class Answer:
    status: int
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


async def post(
    app: Any, body: bytes = BODY, headers: dict[str, str] | None = None, path: str = "/"
) -> Answer:
    """Over real HTTP, to this application and no hub."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}{path}"
        try:
            async with (
                aiohttp.ClientSession() as client,
                client.post(url, data=body, headers=headers) as answer,
            ):
                return Answer(answer.status, await answer.text())
        finally:
            server.should_exit = True
            await serving


async def test_the_example_of_the_documentation_does_what_it_says() -> None:
    [example] = re.findall(r"```python\n(from fastapi.*?)```", DOCS.read_text(), re.DOTALL)
    space: dict[str, Any] = {}
    with redirect_stdout(StringIO()) as said:
        exec(example, space)
    address = "https://app.example.com/api/webhooks/erpnext/customers?connection=my-connector"
    assert said.getvalue().strip() == address
    path = "/api/webhooks/erpnext/customers"
    heard = await post(space["app"], headers=signed("the secret that ERPNext was given"), path=path)
    assert (heard.status, heard.json) == (200, {"heard": 'Odd "Ü" Co'})
    for headers in ({}, signed("another"), {SIGNATURE: ""}):
        assert (await post(space["app"], headers=headers, path=path)).status == 401
    assert (await post(space["app"], b"x" * 65_537, path=path)).status == 413


def test_the_check_alone_is_as_the_documentation_says() -> None:
    [example] = re.findall(
        r"```python\n(from bascule.inbox.frappe import is_signed.*?)```",
        DOCS.read_text(),
        re.DOTALL,
    )
    space: dict[str, Any] = {}
    exec(example, space)
    headers = signed("the secret that ERPNext was given")
    assert space["is_from_erpnext"](headers, BODY)
    assert not space["is_from_erpnext"](headers, BODY + b" ")
    assert not space["is_from_erpnext"]({}, BODY)


async def test_an_endpoint_that_is_not_async_is_guarded_too() -> None:
    app = FastAPI()

    @app.post("/")
    @validate_webhooks_request("s3cret")
    def take(request: Request) -> str:
        return request.method

    assert (await post(app, headers=signed("s3cret"))).json == "POST"
    assert (await post(app, headers=signed("guess"))).status == 401


def by_function(request: Request) -> str | None:
    return request.query_params.get("known")


async def by_coroutine(request: Request) -> str | None:
    await asyncio.sleep(0)
    return request.query_params.get("known")


@pytest.mark.parametrize("secret", [by_function, by_coroutine])
async def test_the_secret_may_depend_on_the_request(secret: Callable[..., Any]) -> None:
    app = FastAPI()

    @app.post("/")
    @validate_webhooks_request(secret, "X-Signed")
    async def take(request: Request, times: int = 1) -> int:
        return times * len(await request.body())

    headers = {"X-Signed": signed("s3cret")[SIGNATURE]}
    answer = await post(app, headers=headers, path="/?known=s3cret&times=2")
    assert answer.json == 2 * len(BODY)
    assert (await post(app, headers=headers, path="/?known=other")).status == 401
    assert (await post(app, headers=headers, path="/")).status == 401
    empty = {"X-Signed": signed("")[SIGNATURE]}
    assert (await post(app, headers=empty, path="/?known=")).status == 401


async def test_starlette_alone_will_do() -> None:
    @validate_webhooks_request("s3cret")
    async def take(request: Request) -> Response:
        return JSONResponse(await request.json())

    app = Starlette(routes=[Route("/", take, methods=["POST"])])
    assert (await post(app, headers=signed("s3cret"))).json["doctype"] == "Customer"
    assert (await post(app, headers=signed("guess"))).status == 401


def test_what_takes_no_request_cannot_be_guarded() -> None:
    with pytest.raises(TypeError, match="request"):

        @validate_webhooks_request("s3cret")
        async def take() -> None:
            pass


def test_addresses_keep_what_is_odd_whole() -> None:
    address = get_webhook_address("https://hub.example.com/", "a/b?c", "Sales Order")
    assert address == (
        "https://hub.example.com/api/webhooks/erpnext/sales-order?connection=a%2Fb%3Fc"
    )

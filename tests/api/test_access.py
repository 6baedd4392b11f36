"""Who may ask: nobody without a token, and /health alone for everybody."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import func, select

from bascule.accounts.tables import ApiToken, User
from bascule.accounts.tokens import ensure_admin, hash_of
from tests.kit.api import Api
from tests.kit.hub import RunningHub


def every_route(api: Api) -> list[tuple[str, str]]:
    paths = api.get("/openapi.json").json["paths"]
    return [(method.upper(), path) for path, methods in paths.items() for method in methods]


def test_no_route_but_health_answers_without_a_token(api: Api, stranger: Api) -> None:
    routes = [*every_route(api), ("GET", "/openapi.json")]
    assert len(routes) > 30
    for method, path in routes:
        answer = stranger.ask(method, path)
        if path == "/health":
            assert answer.status == 200
            continue
        if path in ("/api/auth/login", "/api/auth/refresh"):
            assert answer.status == 422
            continue
        if path == "/api/webhooks/{source}/{address}":  # which sources there are is no secret
            assert answer.status == 404
            continue
        assert answer.status == 401, (method, path)
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert set(answer.json) == {"type", "title", "status", "detail", "next_step"}


@pytest.mark.parametrize(
    "token", ["", "bsc_", "bsc_unknown", "x" * 5000, "bsc_\u00e9", "null", "Bearer"]
)
def test_a_token_that_is_none_opens_nothing(running_hub: RunningHub, token: str) -> None:
    answer = Api(running_hub.url, token).get("/api/connectors")
    assert answer.status == 401
    assert "bascule token" in answer.json["next_step"]
    assert token == "" or token not in answer.json["detail"]


def test_the_pages_that_come_from_a_cdn_are_not_there(api: Api) -> None:
    for path in ("/docs", "/redoc"):
        assert api.get(path).status == 404


def test_a_token_is_kept_as_its_hash_and_dies_with_its_owner(running_hub: RunningHub) -> None:
    token = running_hub.token
    asking = Api(running_hub.url, token)

    async def kept() -> Any:
        async with running_hub.hub.db.session() as session:
            rows = await session.execute(select(ApiToken.token_hash, ApiToken.last_used_at))
            return dict(rows.all())

    async def active(yes: bool) -> None:
        async with running_hub.hub.db.session() as session:
            (await ensure_admin(session)).active = yes

    assert asking.get("/api/connectors").status == 200
    last_used = running_hub.run(kept())
    assert token not in str(last_used)
    assert last_used[hash_of(token)] is not None
    running_hub.run(active(False))
    try:
        assert asking.get("/api/connectors").status == 401
    finally:
        running_hub.run(active(True))


def test_using_a_token_is_noted_at_most_once_a_minute(running_hub: RunningHub) -> None:
    asking = running_hub.somebody("viewer")  # whose token nobody has used before

    async def noted() -> Any:
        async with running_hub.hub.db.session() as session:
            mine = select(ApiToken.last_used_at).where(
                ApiToken.token_hash == hash_of(asking.token or "")
            )
            return await session.scalar(mine)

    asking.get("/api/connectors")
    first = running_hub.run(noted())
    asking.get("/api/connectors")
    assert first is not None
    assert running_hub.run(noted()) == first


def test_ten_starts_at_once_make_one_admin(running_hub: RunningHub) -> None:
    async def start() -> int:
        async with running_hub.hub.db.session() as session:
            return (await ensure_admin(session)).id

    async def ten_starts() -> tuple[set[int], int]:
        found = set(await asyncio.gather(*(start() for _ in range(10))))
        async with running_hub.hub.db.session() as session:
            admins = select(func.count()).select_from(User).where(User.role == "admin")
            return found, int(await session.scalar(admins) or 0)

    found, admins = running_hub.run(ten_starts())
    assert len(found) == 1
    assert admins == 1

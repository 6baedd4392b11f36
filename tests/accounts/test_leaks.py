"""Everything is done once with secrets that are known here; then they are looked for everywhere."""

import base64
import logging
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql as psql

from bascule.accounts.people import users
from bascule.accounts.signing import newest_key
from bascule.hub import Hub
from tests.accounts.conftest import Crew, connect
from tests.accounts.site import some_site
from tests.accounts.walking import WAYS
from tests.kit.connecting import SETUP
from tests.kit.hub import RunningHub
from tests.kit.people import Make, People
from tests.kit.visitors import Somebody, Visitor, next_address

OLD, NEW = "correct horse battery staple", "staple battery horse correct"
SITE_KEY, SITE_SECRET = "k3y-of-the-connection", "s3cret-of-the-connection"
ERP_SECRET, CLOUD_PASSWORD = "s3cret-of-my-own-erpnext", "passw0rd-of-my-cloud"
WRONG_PASSWORD, WRONG_SECRET = "a passw0rd that was mistyped", "s3cret-that-was-mistyped"
MARKUP = "\"'><img src=x onerror=alert(1)><script>alert(1)</script>"
RUNS = ("<img src=x", "<script>alert", "onerror=alert(1)>")


class Told(logging.Handler):
    """Every line that the hub logs, down to the statements of its database."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture(scope="module")
def told() -> Iterator[Told]:
    kept = Told()
    loud = ("bascule", "uvicorn", "sqlalchemy.engine", "aiohttp", "psycopg", "procrastinate")
    loggers = [logging.getLogger(), *map(logging.getLogger, loud)]
    before = [logger.level for logger in loggers]
    loggers[0].addHandler(kept)
    for logger in loggers[1:]:
        logger.setLevel(logging.INFO if logger.name == "sqlalchemy.engine" else logging.DEBUG)
    yield kept
    loggers[0].removeHandler(kept)
    for logger, level in zip(loggers, before, strict=True):
        logger.setLevel(level)


class Done:
    """Who did it, and the secrets by what they are."""

    def __init__(self, somebody: Somebody, secrets: dict[str, str]) -> None:
        self.somebody, self.secrets = somebody, secrets

    def found_in(self, text: str) -> list[str]:
        return [
            f"{what}: {form}"
            for what, secret in self.secrets.items()
            for form in forms(secret)
            if form in text
        ]


def forms(secret: str) -> set[str]:
    """As it is, and as it would stand in an address or encoded."""
    encoded = base64.b64encode(secret.encode()).decode().rstrip("=")
    return {secret, quote(secret), quote(secret, safe=""), secret.replace(" ", "+"), encoded}


async def signing_key(hub: Hub) -> str:
    async with hub.db.session() as session:
        return (await newest_key(hub, session)).secret


@pytest.fixture(scope="module")
def done(running_hub: RunningHub, told: Told, admin: Visitor) -> Done:
    """Signs in and out, mistypes, is invited, connects, is refused, and saves what is secret."""
    url, people = running_hub.url, People(running_hub)
    asked = Visitor(url)
    erin = people.make("admin", OLD)
    link = admin.post(f"/api/users/{erin.id}/reset").json["link"].rpartition("/")[2]
    lost = admin.post(f"/api/users/{people.make().id}/reset").json["link"].rpartition("/")[2]
    form = {"password": OLD, "again": OLD}
    signed_in = asked.ask("POST", f"/welcome/{link}", form=form)
    first_cookie = signed_in.headers["set-cookie"].partition("=")[2].partition(";")[0]
    asked.ask("POST", "/sign-in", form={"name": erin.username, "password": WRONG_PASSWORD})
    asked.post("/api/auth/login", {"username": WRONG_PASSWORD, "password": OLD})
    asked.post("/api/auth/login", {"username": erin.username, "password": OLD, "x": NEW})
    first = erin.login()
    second = asked.post("/api/auth/refresh", {"refresh_token": first["refresh_token"]}).json
    by_jwt = asked.with_token(second["access_token"])
    change = {"old_password": OLD, "new_password": NEW}
    assert by_jwt.post("/api/auth/password", {**change, "old_password": WRONG_PASSWORD}).status
    assert by_jwt.post("/api/auth/password", change).status == 200
    erin.password = NEW
    third = erin.login()
    visitor = asked.with_token(third["access_token"])
    token = visitor.post("/api/auth/tokens", {"name": "leaks", "scope": "write"}).json["token"]
    browser = people.browse(erin)
    made = browser.ask("POST", "/settings/tokens", form={"name": "page", "scope": "read"})
    page_token = re.findall(r"bsc_[\w-]{43}", made.body.decode())[0]
    with some_site() as (site_url, site):
        site.says(401, {"exc_type": "AuthenticationError", "echo": SITE_SECRET})
        connected = connect(
            visitor, name="Leaks", api_url=site_url, api_key=SITE_KEY, api_secret=SITE_SECRET
        )
        path = f"/api/connectors/{connected['slug']}"
        visitor.post(f"{path}/test")
        way_in = {"api_key": SITE_KEY, "api_secret": WRONG_SECRET}
        assert visitor.patch(path, way_in).status == 400
        assert visitor.patch(path, {"api_secret": [SITE_SECRET]}).status == 422
        setup = {"api_url": site_url, "test_connection": True, **way_in}
        assert visitor.post(SETUP, setup).status == 400
        mine = {"erpnext_url": site_url, "erpnext_api_key": "k", "erpnext_api_secret": ERP_SECRET}
        mine |= {"nextcloud_url": "https://c.example.com", "nextcloud_password": CLOUD_PASSWORD}
        assert visitor.put("/api/auth/settings", mine).status == 200
        assert visitor.post("/api/auth/settings/erpnext/test").json["success"] is False
    with_secret = {"X-Forwarded-For": next_address(), "Authorization": f"Basic {NEW}"}
    asked.get("/api/auth/me", headers=with_secret)
    hub = running_hub.hub
    address = psycopg.conninfo.conninfo_to_dict(hub.db.url)
    return Done(
        erin,
        {
            "password": OLD,
            "new password": NEW,
            "mistyped password": WRONG_PASSWORD,
            "connection's key": SITE_KEY,
            "connection's secret": SITE_SECRET,
            "mistyped secret": WRONG_SECRET,
            "own secret": ERP_SECRET,
            "own cloud": CLOUD_PASSWORD,
            "used link": link,
            "open link": lost,
            "used access token": first["access_token"],
            "access token": third["access_token"],
            "used refresh token": first["refresh_token"],
            "refresh token": third["refresh_token"],
            "API token": token,
            "page's API token": page_token,
            "first cookie": first_cookie,
            "cookie": browser.cookie or "",
            "key": hub.vault.newest,
            "signing key": running_hub.run(signing_key(hub)),
            **({"database": str(address["password"])} if address.get("password") else {}),
        },
    )


def test_the_secrets_are_ones_that_would_be_found(done: Done) -> None:
    assert all(len(secret) > 12 for secret in done.secrets.values())
    assert len(set(done.secrets.values())) == len(done.secrets)
    for secret in done.secrets.values():
        assert done.found_in(f"<p>{secret}</p>")


def test_no_answer_page_or_file_tells_a_secret(
    done: Done, crew: Crew, browse: Callable[..., Visitor], admin: Visitor
) -> None:
    pages = browse(done.somebody)
    program = Visitor(crew.url, done.secrets["access token"])
    connector = next(
        one for one in program.get("/api/connectors").json["connectors"] if one["name"] == "Leaks"
    )
    there = crew.there | {"user": done.somebody.id, "person": done.somebody.id}
    for name in (connector["slug"], crew.there["connector"]):
        for way in WAYS:
            if way.method != "GET" or way.path.startswith(("/static", "/welcome")):
                continue
            visitor = pages if way.is_page else program
            answer = way.ask(visitor, **(there | {"connector": name}))
            assert answer.status < 500, way
            said = answer.body.decode("utf-8", "replace") + str(answer.headers)
            assert done.found_in(said) == [], way
    refused = Visitor(crew.url).get(f"/welcome/{done.secrets['used link']}")
    assert refused.status == 404
    assert done.secrets["used link"] not in str(refused.headers)


def test_no_line_of_the_log_tells_a_secret(done: Done, told: Told) -> None:
    """At DEBUG, with every statement of the database and what it was given."""
    assert len(told.lines) > 50
    text = "\n".join(told.lines)
    assert "INSERT INTO bascule." in text  # statements were logged
    assert done.found_in(text) == []


def test_nothing_in_the_database_tells_a_secret(running_hub: RunningHub, done: Done) -> None:
    """All of it, as a dump would hold it."""
    url = running_hub.settings.database_url
    assert url is not None
    sizes = {}
    with psycopg.connect(url.get_secret_value()) as conn:
        tables = conn.execute(
            "SELECT table_schema, table_name FROM information_schema.tables"
            " WHERE table_type = 'BASE TABLE'"
            " AND table_schema NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        for schema, name in tables:
            copy = psql.SQL("COPY {} TO STDOUT").format(psql.Identifier(schema, name))
            with conn.cursor().copy(copy) as rows:
                dump = b"".join(bytes(row) for row in rows).decode()
            sizes[name] = len(dump)
            assert done.found_in(dump) == [], (schema, name)
    written = {"users", "connections", "api_tokens", "refresh_tokens", "sessions", "audit"}
    written |= {"one_time_links", "events", "sign_in_attempts"}
    assert all(sizes[name] > 0 for name in written), sizes


def test_no_secret_is_told_as_it_happens(running_hub: RunningHub, done: Done) -> None:
    async def kept() -> Any:
        async with running_hub.hub.db.connection() as conn:
            found = await conn.execute("SELECT data::text FROM bascule.events")
            return await found.fetchall()

    rows = running_hub.run(kept())
    assert rows
    assert done.found_in(str(rows)) == []


def test_what_shows_an_object_shows_no_secret(running_hub: RunningHub, done: Done) -> None:
    """Where an error's text, or a debugger's, would write it."""

    async def found() -> str:
        async with running_hub.hub.db.session() as session:
            user = await users.find_person(session, done.somebody.id)
            hub = running_hub.hub
            return f"{user!r} {hub!r} {hub.settings!r} {hub.vault!r} {hub.db!r}"

    assert done.found_in(running_hub.run(found())) == []


def test_markup_that_somebody_saved_is_text_on_every_page(
    running_hub: RunningHub, crew: Crew, make_person: Make, browse: Callable[..., Visitor]
) -> None:
    """In names, notes of a site, log lines, browsers' names and wherever it is shown again."""
    anna = make_person("admin")
    visitor = anna.visit()
    hostile = connect(visitor, name=MARKUP[:80])
    visitor.post("/api/auth/tokens", {"name": MARKUP})
    visitor.put("/api/auth/settings", {"erpnext_api_key": MARKUP, "nextcloud_username": MARKUP})
    run = visitor.post("/api/connectors/sync", {"connector_id": hostile["id"]}).json["run_ids"][0]

    async def laid() -> None:
        async with running_hub.hub.db.connection() as conn:
            for statement in (
                "INSERT INTO bascule.run_logs (run_id, level, message)"
                " VALUES ({run}, 'error', {m})",
                "UPDATE bascule.runs SET outcome = 'failed', error = {m}, next_step = {m}"
                " WHERE id = {run}",
                "UPDATE bascule.connections SET health = 'refused', health_detail = {m},"
                " site_user = {m}, versions = jsonb_build_object('erpnext', {m})"
                " WHERE id = {id}",
                "UPDATE bascule.sessions SET agent = {m}, address = {m}",
                "INSERT INTO bascule.passkeys (user_id, name, credential_id, public_key,"
                " user_handle, transports) VALUES ({user}, {m}, {m}, '', '', '[]')",
                "INSERT INTO bascule.audit (username, action, via, address, object, detail)"
                " VALUES ({m}, {m}, {m}, {m}, {m}, jsonb_build_object('x', {m}))",
            ):
                values = {"m": MARKUP, "run": run, "id": hostile["id"], "user": anna.id}
                literals = {name: psql.Literal(value) for name, value in values.items()}
                await conn.execute(psql.SQL(statement).format(**literals))

    browser = browse(anna)
    running_hub.run(laid())
    there = {"connector": hostile["slug"], "run": run, "stream": "Supplier"}
    there |= {"user": anna.id, "person": anna.id}
    shown = 0
    for way in WAYS:
        if way.method != "GET" or not way.is_page:
            continue
        for path in (way.at(**there), f"{way.at(**there)}?q={quote(MARKUP)}&next={quote(MARKUP)}"):
            answer = browser.get(path)
            assert answer.status < 500, path
            body = answer.body.decode("utf-8", "replace")
            if answer.headers.get("content-type", "").startswith("text/html"):
                shown += "&lt;img src=x" in body
                assert [words for words in RUNS if words in body] == [], path
    assert shown >= 3


def test_what_opens_something_cannot_be_guessed(done: Done) -> None:
    for what in ("cookie", "open link", "refresh token", "API token"):
        assert len(done.secrets[what].removeprefix("bsc_")) == 43, what  # 256 bits

"""What tests of every room share: a PostgreSQL for each test process, a fresh database for each
test, a hub over it, a site, and who asks them; see `kit`.

`running_hub` and `site` are each test's own, unless its folder shares one: its conftest names the
scope, `running_hub = hub_fixture("session")`, and what is below stands on that one.

BASCULE_TEST_DATABASE_URL: use that server instead of embedded ones; its user may create databases.
"""

import os
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from argon2 import PasswordHasher
from psycopg.conninfo import conninfo_to_dict

from bascule.accounts import passwords
from bascule.backoff import Backoff
from bascule.hub import Hub, open_hub
from bascule.sandbox import Running
from bascule.settings import Settings
from bascule.store.address import conninfo, libpq_url
from bascule.store.embedded.server import EmbeddedServer
from bascule.store.migrate import migrate
from bascule.store.vault import Vault
from tests.kit import connecting
from tests.kit.api import Api
from tests.kit.database import FreshSettings, on_database, remove, run
from tests.kit.hub import RunningHub, hub_fixture
from tests.kit.lanes import (
    pytest_addoption,
    pytest_collection_modifyitems,
    pytest_configure,
    pytest_ignore_collect,
)
from tests.kit.people import Browse, Make, People, Sit, Sql
from tests.kit.site import Erp, site_fixture
from tests.kit.visitors import Visitor
from tests.kit.waiting import until

__all__ = [
    "pytest_addoption",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_ignore_collect",
]


@pytest.fixture(autouse=True, scope="session")
def _ctrl_c_is_heard() -> None:
    """Who is started in the background by a shell is deaf to it, and so are its children."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def _nothing_from_outside() -> Iterator[None]:
    """A developer's own settings must not decide what tests see, nor tests touch their hub."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith("BASCULE_") and name not in (
                "BASCULE_TEST_DATABASE_URL",
                "BASCULE_RECORDINGS",
            ):
                patch.delenv(name)
        for name in ("POSTGRES_URL", "CONNECTORS_SERVICE_PORT"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(autouse=True, scope="session")
def _quick_passwords() -> Iterator[None]:
    """Hashes of today's strength take half a second here, and tests make hundreds."""
    with pytest.MonkeyPatch.context() as patch:
        quick = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        patch.setattr(passwords, "_hasher", quick)
        passwords._nobodys.cache_clear()
        yield
    passwords._nobodys.cache_clear()


@pytest.fixture
def retried_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not sent waits until the test has it retried, however slow the test is."""
    monkeypatch.setattr(
        "bascule.connections.circuit.RETRY", Backoff(600.0, longest=900.0, jitter=0.5)
    )


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A fresh folder with a short path that an unprivileged PostgreSQL can enter."""
    folder = Path(tempfile.mkdtemp(prefix="bascule-", dir="/tmp"))
    folder.chmod(0o711)
    yield folder
    remove(folder)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a server on which this process may create databases."""
    given = os.environ.get("BASCULE_TEST_DATABASE_URL")
    if given:
        yield libpq_url(given)
        return
    folder = Path(tempfile.mkdtemp(prefix="bascule-", dir="/tmp"))
    folder.chmod(0o711)
    server = EmbeddedServer.join(folder)
    url = server.admin_url()
    run(url, "ALTER SYSTEM SET fsync = off")  # tests kill processes, not the machine
    run(url, "SELECT pg_reload_conf()")
    yield url
    server.leave()
    remove(folder)


@pytest.fixture(scope="session")
def template(postgres: str) -> Iterator[str]:
    """The name of a migrated database that nobody is connected to."""
    name = f"template_{uuid4().hex[:12]}"
    run(postgres, f"CREATE DATABASE {name}")
    migrate(conninfo(on_database(postgres, name)), Vault("a key for tests").encrypt)
    yield name
    run(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def fresh_database(postgres: str, template: str) -> Iterator[str]:
    """The address of a fresh database with the hub's tables, which is gone afterwards."""
    name = f"test_{uuid4().hex[:12]}"
    run(postgres, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
    url = on_database(postgres, name)
    assert conninfo_to_dict(url)["dbname"] == name
    yield url
    run(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database_url(postgres: str, template: str) -> Iterator[str]:
    """A fresh database with the hub's tables."""
    with fresh_database(postgres, template) as url:
        yield url


@pytest.fixture(scope="session")
def fresh_settings(
    postgres: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> FreshSettings:
    """Settings of a hub with a folder and a database of its own, for as long as a fixture wants."""

    @contextmanager
    def made(**more: Any) -> Iterator[Settings]:
        with fresh_database(postgres, template) as url:
            given = {"data_dir": tmp_path_factory.mktemp("hub"), "database_url": url}
            yield Settings.model_validate({**given, **more})

    return made


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings(
        database_url=database_url,  # type: ignore[arg-type]
        data_dir=tmp_path,
        secret_key="a key for tests",  # type: ignore[arg-type]
    )


@pytest.fixture
async def hub(settings: Settings) -> AsyncIterator[Hub]:
    async with open_hub(settings) as opened:
        yield opened


@pytest.fixture(scope="session")
def kills() -> None:
    """Asked for by what starts processes that are killed: its tests have the marker `kills`."""


@pytest.fixture(scope="session")
def processes() -> None:
    """Likewise, of what starts the hub or its command in processes of their own."""


running_hub = hub_fixture("function")
site = site_fixture("function")


@pytest.fixture
def api(running_hub: RunningHub) -> Api:
    """An admin's program at the hub."""
    return running_hub.api


@pytest.fixture
def stranger(running_hub: RunningHub) -> Visitor:
    return Visitor(running_hub.url)


@pytest.fixture
def sql(running_hub: RunningHub) -> Sql:
    """Asks the hub's database beside the hub: to look, and to let time pass in it."""
    return running_hub.sql


@pytest.fixture
def make_person(running_hub: RunningHub) -> Make:
    """Somebody new of a role."""
    return People(running_hub).make


@pytest.fixture
def make_token(running_hub: RunningHub) -> Callable[..., str]:
    """An API token of somebody's."""
    return People(running_hub).token


@pytest.fixture
def browse(running_hub: RunningHub) -> Browse:
    """A browser that somebody signed in with."""
    return People(running_hub).browse


@pytest.fixture
def sit(running_hub: RunningHub) -> Sit:
    """Somebody of this role, or somebody who is there, at a browser."""
    return People(running_hub).sit


@pytest.fixture
def erp(site: Running) -> Erp:
    """The site's Administrator at work."""
    return Erp(site)


@pytest.fixture
def connect(api: Api, erpnext_sandbox: Any) -> Iterator[Callable[..., Any]]:
    """Connects a sandbox of its own, under a name of its own, and takes it away again."""
    made: list[str] = []

    def setup(**values: Any) -> Any:
        new = connecting.connect(api, erpnext_sandbox, **values)
        made.append(new["id"])
        return new

    yield setup
    for connector in made:
        assert api.delete(f"/api/connectors/{connector}").status in (200, 404)


@pytest.fixture
def finished(api: Api) -> Callable[[list[int]], list[Any]]:
    """Waits for runs to end."""

    def wait(run_ids: list[int]) -> list[Any]:
        def ended() -> list[Any] | None:
            runs = [api.get(f"/api/runs/{number}").json for number in run_ids]
            return runs if all(run["outcome"] in ("done", "failed") for run in runs) else None

        return until(ended, patience=120)

    return wait

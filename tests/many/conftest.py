"""A hub of an agency: three hundred connections of twelve streams each, as rows in its database.

No site stands behind them: what is shown of many comes from what the hub knows already.
"""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from bascule.cli import app
from bascule.settings import get_settings
from tests.kit.database import FreshSettings
from tests.kit.hub import RunningHub

SITES, STREAMS = 300, 12
FAILING = (17, 170, 299)  # their numbers
DOWN = (5,)
DIFFERING = (200, 201)

FILL = """
INSERT INTO bascule.connections
  (id, slug, name, api_url, api_key_encrypted, api_secret_encrypted, schedule, health)
SELECT gen_random_uuid(), format('site_%%s', to_char(n, 'FM000')),
       format('Client %%s', to_char(n, 'FM000')),
       format('https://client-%%s.invalid', to_char(n, 'FM000')), '', '', 'manual',
       CASE WHEN n = ANY(%(down)s) THEN 'down' ELSE 'ok' END
FROM generate_series(1, %(sites)s) n;
INSERT INTO bascule.streams
  (connection_id, doctype, table_name, rows, last_success_at, last_verified_at, verified_equal,
   proven, last_error, last_error_step)
SELECT c.id, format('Thing %%s', to_char(s, 'FM00')), format('thing_%%s', s), 1000 + s,
       now() - interval '3 min', now() - interval '3 h',
       NOT (n = ANY(%(differing)s) AND s = 7), 1000 + s,
       CASE WHEN n = ANY(%(failing)s) AND s = 3 THEN 'Something broke.' END,
       CASE WHEN n = ANY(%(failing)s) AND s = 3 THEN 'Mend it.' END
FROM (SELECT id, right(slug, 3)::int AS n FROM bascule.connections) c,
     generate_series(1, %(streams)s) s;
ANALYZE bascule.connections, bascule.streams;
"""


@pytest.fixture(scope="session")
def running_hub(fresh_settings: FreshSettings) -> Iterator[RunningHub]:
    """With its rows."""
    with fresh_settings(trusted_proxies="127.0.0.1") as settings, RunningHub(settings) as running:
        assert settings.database_url is not None
        values = {
            "sites": SITES,
            "streams": STREAMS,
            "failing": list(FAILING),
            "down": list(DOWN),
            "differing": list(DIFFERING),
        }
        url = settings.database_url.get_secret_value()
        with psycopg.ClientCursor(psycopg.connect(url, autocommit=True)) as filling:
            filling.execute(FILL, values)
            filling.connection.close()
        yield running


@pytest.fixture
def say(running_hub: RunningHub, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    settings = running_hub.settings
    assert settings.database_url is not None
    monkeypatch.setenv("BASCULE_DATABASE_URL", settings.database_url.get_secret_value())
    monkeypatch.setenv("BASCULE_DATA_DIR", str(settings.data_dir))
    monkeypatch.setenv("COLUMNS", "160")
    get_settings.cache_clear()
    return lambda *words: CliRunner().invoke(app, words, prog_name="bascule")

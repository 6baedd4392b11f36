"""How the hub itself is: on the page, over HTTP and in the shell, for admins alone."""

import datetime as dt
import ssl
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bascule import __version__
from bascule.sandbox import SandboxThread
from bascule.system.certificate import Looked
from tests.kit import connecting
from tests.kit.api import Api
from tests.kit.database import FreshSettings
from tests.kit.hub import RunningHub
from tests.kit.waiting import until

ENDS = dt.datetime(2031, 5, 6, 7, 8, 9, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def https(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A port that answers with a certificate of our own."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
        .not_valid_after(ENDS)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()


@pytest.fixture(scope="module")
def watched(fresh_settings: FreshSettings, https: int, erpnext_snapshot: Any) -> Any:
    with (
        SandboxThread(erpnext_snapshot) as site,
        fresh_settings(public_url=f"https://localhost:{https}") as settings,
        RunningHub(settings) as running,
    ):
        connect(Api(running.url, running.token), site)
        running.allow(site.url)
        connect(running.somebody("editor"), site, name="Nobodys Business", shared=False)
        yield running


def connect(api: Api, site: Any, **other: Any) -> None:
    """As `sized`, with a mirror of one DocType."""
    values = {"name": "Sized", "streams": ["Warehouse"], "start_sync": True, **other}
    connecting.connect(api, site, **values)
    assert api.post("/api/connectors/sync", {"wait": 60}).json["finished"]


def test_system_tells_of_processes_queue_sizes_certificate_and_version(
    watched: RunningHub,
) -> None:
    api = Api(watched.url, watched.token)

    def told() -> Any:
        found = api.get("/api/system").json
        schemas = {one["name"] for one in found["database"]["schemas"]}
        roles = {role for one in found["processes"] for role in one["roles"]}
        complete = {"bascule", "bascule_jobs", "sized"} <= schemas and roles == {"web", "worker"}
        return found if complete and found["worker_alive"] else None

    found = until(told, "the system is not told of whole")
    assert found["version"]["version"] == __version__
    assert any("embedded PostgreSQL" in change for change in found["version"]["changes"])
    assert found["certificate"]["ends_at"] == ENDS.isoformat().replace("+00:00", "Z")
    assert found["certificate"]["days_left"] > 300
    assert [one["work"] for one in found["queue"]] == [
        *("clock", "people", "soon", "runs", "housekeeping")
    ]
    [process] = found["processes"]
    assert process["version"] == __version__ and process["rss_bytes"] > 10_000_000
    sized = next(one for one in found["database"]["schemas"] if one["name"] == "sized")
    assert sized["connection"] == "Sized" and sized["bytes"] > 0
    assert found["database"]["bytes"] > sized["bytes"]

    private = next(one for one in found["database"]["schemas"] if one["name"] == "(private)")
    assert private["connection"] is None and private["bytes"] > 0
    for path in ("/system", "/api/system", "/metrics"):
        assert b"obodys" not in api.get(path).body, "it is nobody's but its owner's"

    for role in ("editor", "viewer"):
        assert watched.somebody(role).get("/api/system").status == 403
        assert watched.somebody(role).get("/system").status == 403
    shown = api.get("/system")
    assert shown.status == 200
    for words in (b"Edits and webhooks", b"Sized", b"2031-05-06"):
        assert words in shown.body


def test_an_edit_that_waits_is_the_oldest_unsent(watched: RunningHub) -> None:
    api = Api(watched.url, watched.token)
    assert api.get("/api/system").json["unsent"] == {"records": 0, "oldest_at": None}
    assert b"Every edit is sent" in api.get("/system").body

    async def wait_for_the_site() -> None:
        async with watched.hub.db.connection() as conn:
            await conn.execute(
                "WITH way AS (INSERT INTO bascule.two_ways (connection_id, record_type, status)"
                " SELECT id, 'supplier', 'on' FROM bascule.connections RETURNING id),"
                " record AS (INSERT INTO bascule.records (record_type, key, title)"
                " VALUES ('supplier', 'k', 'Waits') RETURNING id)"
                " INSERT INTO bascule.outbox (record_id, two_way_id, operation, version, at)"
                " SELECT record.id, way.id, 'save', 1, '2026-01-02' FROM way, record"
            )

    watched.run(wait_for_the_site())
    unsent = api.get("/api/system").json["unsent"]
    assert (unsent["records"], unsent["oldest_at"][:10]) == (1, "2026-01-02")
    assert b"1 record has edits" in api.get("/system").body


def test_address_that_does_not_answer_holds_the_page_up_for_a_moment_only(
    watched: RunningHub,
) -> None:
    """A port that takes connections and says nothing."""
    import socket

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"https://localhost:{silent.getsockname()[1]}"
        settings = watched.hub.settings
        before, settings.public_url = settings.public_url, url
        watched.hub.shared[Looked] = Looked()
        try:
            found = Api(watched.url, watched.token).get("/api/system").json["certificate"]
        finally:
            settings.public_url = before
            watched.hub.shared[Looked] = Looked()
    assert found["ends_at"] is None and "does not answer" in found["error"]


def test_the_shell_tells_the_same(watched: RunningHub) -> None:
    settings = watched.settings
    assert settings.database_url is not None
    said = subprocess.run(
        [sys.executable, "-m", "bascule", "system"],
        env={
            "PATH": "/usr/bin:/bin",
            "BASCULE_DATABASE_URL": settings.database_url.get_secret_value(),
            "BASCULE_DATA_DIR": str(settings.data_dir),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    for words in (f"Version {__version__}", "web and worker", "edits and webhooks", "sized"):
        assert words in said.stdout

"""The examples of deploy/, run: what people do reaches the hub over TLS as theirs, and only the
proxy's word counts of where they come from.
"""

import http.client
import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bascule.accounts.people import users
from bascule.accounts.sessions import COOKIE
from bascule.accounts.tokens import issue_token
from bascule.hub import Hub
from tests.kit.waiting import until
from tests.security.hub_process import HubProcess, head_of, hub_process, request

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[2]
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
PASSWORD = "rather long 4 a horse"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def certificate(folder: Path) -> tuple[Path, Path]:
    """Of 127.0.0.1, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    chain, secret = folder / "cert.pem", folder / "key.pem"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return chain, secret


def changed(text: str, *pairs: tuple[str, str]) -> str:
    """The example with another place for what this machine has otherwise; each has to be there."""
    for before, after in pairs:
        assert before in text, before
        text = text.replace(before, after)
    return text


def nginx(folder: Path, port: int, hub: str) -> list[str]:
    program = shutil.which("nginx", path=PATH)
    if program is None:
        pytest.skip("NOT TESTED: this machine has no nginx (tests/get_proxies.sh)")
    chain, key = certificate(folder)
    example = changed(
        (ROOT / "deploy" / "nginx.conf").read_text(),
        ("listen 80;", f"listen 127.0.0.1:{free_port()};"),
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("server_name hub.example.com;", "server_name 127.0.0.1;"),
        ("/etc/ssl/hub.example.com.pem", str(chain)),
        ("/etc/ssl/hub.example.com.key", str(key)),
        ("http://127.0.0.1:8003", hub),
    )
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;\n" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"{user}pid {folder}/pid;\nerror_log stderr;\ndaemon off;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{temporary}{example}\n}}\n"
    )
    return [program, "-c", str(folder / "nginx.conf"), "-p", str(folder)]


def caddy(folder: Path, port: int, hub: str) -> list[str]:
    program = shutil.which("caddy", path=PATH)
    if program is None:
        pytest.skip("NOT TESTED: this machine has no caddy (tests/get_proxies.sh)")
    chain, key = certificate(folder)
    (folder / "Caddyfile").write_text(
        changed(
            (ROOT / "deploy" / "Caddyfile").read_text(),
            ("{\n\tservers", "{\n\tadmin off\n\tauto_https disable_redirects\n\tservers"),
            ("\nhub.example.com {", f"\nhttps://127.0.0.1:{port} {{\n\ttls {chain} {key}"),
            ("reverse_proxy 127.0.0.1:8003", f"reverse_proxy {hub.removeprefix('http://')}"),
        )
    )
    return [program, "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]


def traefik(folder: Path, port: int, hub: str) -> list[str]:
    program = Path(__file__).parent / ".tools" / "bin" / "traefik"
    if not program.exists():
        pytest.skip("NOT TESTED: there is no Traefik in tests/security/.tools (make proxies)")
    chain, key = certificate(folder)
    examples = ROOT / "deploy" / "traefik"
    (folder / "traefik.yaml").write_text(
        changed(
            (examples / "traefik.yaml").read_text(),
            ('address: ":80"', f'address: "127.0.0.1:{free_port()}"'),
            ('address: ":443"', f'address: "127.0.0.1:{port}"'),
            ("/etc/traefik/bascule.yaml", str(folder / "bascule.yaml")),
            ("/var/lib/traefik/acme.json", str(folder / "acme.json")),
        )
        + "global:\n  checkNewVersion: false\n"  # a test asks nobody outside
    )
    (folder / "bascule.yaml").write_text(
        changed(
            (examples / "bascule.yaml").read_text(),
            ("Host(`hub.example.com`)", "Host(`127.0.0.1`)"),
            ("tls:\n        certResolver: letsencrypt", "tls: {}"),
            ("http://127.0.0.1:8003", hub),
        )
        + f"tls:\n  certificates:\n    - certFile: {chain}\n      keyFile: {key}\n"
    )
    return [str(program), f"--configFile={folder / 'traefik.yaml'}"]


class Browser:
    """Speaks to the proxy over TLS, whose certificate it knows."""

    def __init__(self, port: int, folder: Path) -> None:
        self.port = port
        self.trust = ssl.create_default_context(cafile=str(folder / "cert.pem"))

    def ask(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        to = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=60, context=self.trust)
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            to.request(method, path, body, said)
            got = to.getresponse()
            return got.status, [(n.lower(), v) for n, v in got.getheaders()], got.read()
        finally:
            to.close()


def answers(browser: Browser) -> bool:
    with suppress(OSError):
        return browser.ask("GET", "/health")[0] == 200
    return False


@contextmanager
def proxied(
    make: Callable[[Path, int, str], list[str]], folder: Path, hub: HubProcess, port: int
) -> Iterator[Browser]:
    command = make(folder, port, hub.url)
    with (folder / "proxy.log").open("w") as log:
        home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "PATH": PATH}
        process = subprocess.Popen(command, stdout=log, stderr=log, env=home)
    browser = Browser(port, folder)
    try:
        until(
            lambda: process.poll() is not None or answers(browser), (folder / "proxy.log").read_text
        )
        assert process.poll() is None, (folder / "proxy.log").read_text()
        yield browser
    finally:
        process.kill()  # asked to stop, Caddy waits for streams that never end
        process.wait()


@pytest.mark.parametrize("make", [nginx, caddy, traefik])
async def test_the_examples_of_proxies_do_what_they_say(
    hub: Hub, tmp_path: Path, make: Callable[[Path, int, str], list[str]]
) -> None:
    port = free_port()
    public = f"https://127.0.0.1:{port}"
    settings: dict[str, Any] = {
        "BASCULE_PUBLIC_URL": public,
        "BASCULE_TRUSTED_PROXIES": "127.0.0.1,::1",
    }
    with ExitStack() as stack:
        running = stack.enter_context(
            hub_process(hub.settings, tmp_path / "log", "serve", **settings)
        )
        browser = stack.enter_context(proxied(make, tmp_path, running, port))
        async with hub.db.session() as session:
            user, welcome = await users.invite(session, "anna", role="admin")
            token = await issue_token(session, "tests", user)
        known: Any = {"Authorization": f"Bearer {token}"}

        chosen = urlencode({"password": PASSWORD, "again": PASSWORD}).encode()
        form_type = {"Content_Type": "application/x-www-form-urlencoded", "Origin": public}
        assert browser.ask("POST", f"/welcome/{welcome}", chosen, **form_type)[0] == 303

        # Signing in: a cookie of this host alone, a year of TLS, and the proxy's word of who asks.
        form = urlencode({"name": "anna", "password": PASSWORD}).encode()
        status, headers, _ = browser.ask(
            "POST",
            "/sign-in",
            form,
            **form_type,
            X_Forwarded_For="203.0.113.66",
            X_Forwarded_Proto="http",
        )
        assert status == 303, (tmp_path / "proxy.log").read_text()
        said = dict(headers)
        assert "max-age=31536000" in said["strict-transport-security"]
        cookies = [value for name, value in headers if name == "set-cookie"]
        [cookie] = [value for value in cookies if value.startswith(f"__Host-{COOKIE}=")]
        assert {"secure", "path=/", "httponly"} <= {part.lower() for part in cookie.split("; ")}
        page = browser.ask("GET", "/", Cookie=cookie.split(";")[0])
        assert page[0] == 200
        assert b"anna" in page[2]
        audit = browser.ask("GET", "/api/audit", **known)[2].decode()
        assert "203.0.113.66" not in audit
        assert '"address":"127.0.0.1"' in audit

        # The same cookie, sent by the old name or over plain HTTP, opens nothing.
        weak = cookie.split(";")[0].replace("__Host-", "")
        assert browser.ask("GET", "/", Cookie=weak)[0] == 303
        with running.socket(request("/sign-in")) as plain:
            assert "strict-transport-security" not in head_of(plain).lower()

        # Large and endless answers, and a body that is too large.
        whole = browser.ask("GET", "/static/htmx.min.js")
        assert whole[0] == 200 and len(whole[2]) > 10_000
        live = browser.trust.wrap_socket(
            socket.create_connection(("127.0.0.1", port), timeout=30), server_hostname="127.0.0.1"
        )
        stack.callback(live.close)
        live.sendall(request("/api/events", token).replace(b"Host: hub", b"Host: 127.0.0.1"))
        heard = b""
        while b"What happens" not in heard:  # at once, and not when some buffer is full
            piece = live.recv(4096)
            assert piece, heard
            heard += piece
        assert browser.ask("POST", "/api/users", b"x" * 1_500_000, **known)[0] == 413

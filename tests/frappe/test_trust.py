"""Whom the client talks to and what it gives away: addresses, certificates, credentials."""

import gc
import io
import logging
import ssl
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bascule.frappe import FrappeError, Site, SiteDown, TLSFailure
from tests.frappe.stage import KEY, SECRET, page_of_html, stage


class Authority:
    """A CA of our own, and a server's certificate signed by it."""

    def __init__(self, folder: Path) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "A CA for tests")])
        self.bundle = folder / "ca.pem"
        certificate = self._signed(self.name, self.key, ca=True)
        self.bundle.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        self.folder = folder

    def server(self, address: str = "127.0.0.1", *, days: int = 1) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a site")])
        certificate = self._signed(name, key, address=address, days=days)
        path = self.folder / f"server-{address}-{days}.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def _signed(
        self, name: x509.Name, key: Any, *, address: str = "", days: int = 1, ca: bool = False
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=9))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()),
                critical=False,
            )
        )
        if ca:
            usage = x509.KeyUsage(
                digital_signature=True,
                key_cert_sign=True,
                crl_sign=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            )
            builder = builder.add_extension(usage, critical=True)
        if address:
            names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self.key, hashes.SHA256())


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


async def test_a_certificate_of_an_unknown_authority_is_refused(authority: Authority) -> None:
    async with stage(lambda _: {}, tls=authority.server()) as there, there.site() as site:
        with pytest.raises(TLSFailure, match="not trusted") as caught:
            await site.logged_user()
    assert there.seen == []
    assert "CA" in caught.value.next_step


async def test_a_given_authority_is_trusted(authority: Authority) -> None:
    async with (
        stage(lambda _: {"message": "hub@example.com"}, tls=authority.server()) as there,
        there.site(ca_bundle=authority.bundle) as site,
    ):
        assert await site.logged_user() == "hub@example.com"


@pytest.mark.parametrize(
    ("options", "reason"),
    [({"days": -1}, "expired"), ({"address": "127.0.0.2"}, "IP address mismatch")],
)
async def test_a_wrong_certificate_is_refused_with_its_reason(
    authority: Authority, options: dict[str, Any], reason: str
) -> None:
    tls = authority.server(**options)
    async with (
        stage(lambda _: {}, tls=tls) as there,
        there.site(ca_bundle=authority.bundle) as site,
    ):
        with pytest.raises(TLSFailure, match=reason):
            await site.logged_user()


async def test_a_port_without_tls_is_told_as_such() -> None:
    async with stage(lambda _: {}) as there:
        url = there.url.replace("http://", "https://")
        async with Site(url, KEY, SECRET) as site:
            with pytest.raises(TLSFailure, match="speaks no TLS"):
                await site.logged_user()


async def test_a_bundle_that_is_none_is_told_when_the_site_is_opened(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("not a certificate")
    for name in ("ca.pem", "missing.pem"):
        with pytest.raises(TLSFailure, match=name):
            async with Site("https://erp.example.com", KEY, SECRET, ca_bundle=tmp_path / name):
                pass


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://erp.example.com", "https://erp.example.com"),
        ("https://ERP.example.com/", "https://erp.example.com"),
        ("https://erp.example.com/app", "https://erp.example.com"),
        ("https://erp.example.com:8443/api/", "https://erp.example.com:8443"),
        ("https://example.com/erp/", "https://example.com/erp"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://127.1.2.3", "http://127.1.2.3"),
        ("http://[::1]:8000/", "http://[::1]:8000"),
        ("http://localhost:8000/desk", "http://localhost:8000"),
        ("http://site1.localhost:8000", "http://site1.localhost:8000"),
    ],
)
def test_an_address_is_brought_into_one_form(given: str, kept: str) -> None:
    assert Site(given, KEY, SECRET).url == kept


@pytest.mark.parametrize(
    "address",
    [
        "",
        "erp.example.com",
        "ftp://erp.example.com",
        "file:///etc/passwd",
        "https://",
        "https://me:pass@erp.example.com",
        "https://erp.example.com@evil.example.com",
        "https://erp.example.com?x=1",
        "https://erp.example.com/#app",
        "https://erp.example.com:port",
        "https://erp.example.com\r\nHost: evil",
        "https://erp.example.com\\@evil.example.com",
        "http://erp.example.com",
        "http://10.0.0.5:8000",
        "http://169.254.169.254/latest/meta-data",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
    ],
)
def test_an_address_that_would_leak_or_mislead_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match=r"address|HTTPS|HTTP") as caught:
        Site(address, KEY, SECRET)
    assert "pass" not in str(caught.value).replace("password", "")


def test_plain_http_to_another_machine_is_taken_where_it_is_allowed() -> None:
    assert Site("http://10.0.0.5:8000", KEY, SECRET, allow_http=True).url == "http://10.0.0.5:8000"


@pytest.mark.parametrize(
    ("key", "secret"),
    [
        ("", "xyzzy"),
        ("k", ""),
        ("k:x", "xyzzy"),
        ("k", "xyzzy\r\nX: y"),
        ("k", "xyzzyé"),
        ("k", " xyzzy"),
    ],
)
def test_what_cannot_be_a_credential_is_refused_without_showing_it(key: str, secret: str) -> None:
    with pytest.raises(ValueError, match="API") as caught:
        Site("https://erp.example.com", key, secret)
    assert "xyzzy" not in str(caught.value)


async def test_the_credential_goes_into_the_header_and_nowhere_else() -> None:
    async with stage(lambda _: {"message": "x"}) as there, there.site() as site:
        await site.logged_user()
        await site.call("a.method", x=1)
        assert SECRET not in repr(site) + str(vars(site)) + repr(vars(site.session))
    for seen in there.seen:
        assert seen.headers["Authorization"] == f"token {KEY}:{SECRET}"
        headers = {k: v for k, v in seen.headers.items() if k != "Authorization"}
        assert SECRET not in str(headers) + seen.path + str(seen.query) + seen.body.decode()
    assert repr(site) == f"<Site {there.url}>"


@pytest.fixture
def everything_logged() -> Iterator[io.StringIO]:
    text = io.StringIO()
    listening = logging.StreamHandler(text)
    root = logging.getLogger()
    level = root.level
    root.addHandler(listening)
    root.setLevel(logging.DEBUG)
    yield text
    root.removeHandler(listening)
    root.setLevel(level)


FAILURES: dict[str, Any] = {
    "wrong credentials": lambda: (401, {"exc_type": "AuthenticationError"}),
    "no permission": lambda: (403, {"exc_type": "PermissionError"}),
    "a traceback": lambda: (500, {"exc_type": "KeyError", "exc": '["Traceback"]'}),
    "a proxy": lambda: page_of_html(502, "Bad Gateway"),
    "a redirect": lambda: web.Response(status=302, headers={"Location": "/login"}),
    "no JSON": lambda: web.Response(text="<html>"),
    "half an answer": lambda: web.Response(text='{"a', content_type="application/json"),
    "an odd header": lambda: web.Response(text="{}", headers={"Content-Encoding": "gzip"}),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
async def test_no_error_holds_the_secret_nor_anything_that_does(
    failure: Any, everything_logged: io.StringIO
) -> None:
    async with stage(lambda _: failure()) as there, there.site() as site:
        with pytest.raises(FrappeError) as caught:
            await site.insert("Customer", {"customer_name": "x"})
    _holds_no_secret(caught.value)
    assert SECRET not in everything_logged.getvalue()


async def test_no_error_of_the_network_holds_the_secret(
    authority: Authority, everything_logged: io.StringIO
) -> None:
    async with stage(lambda _: {}, tls=authority.server()) as there, there.site() as site:
        with pytest.raises(TLSFailure) as untrusted:
            await site.logged_user()
    async with Site(there.url.replace("https", "http"), KEY, SECRET) as site:
        with pytest.raises(SiteDown) as refused:
            await site.insert("Customer", {})
    for caught in (untrusted.value, refused.value):
        _holds_no_secret(caught)
    assert SECRET not in everything_logged.getvalue()


def _holds_no_secret(error: BaseException) -> None:
    """Not in its words, its attributes, its printed traceback, nor in errors that it came from."""
    seen: set[int] = set()
    chain: list[BaseException | None] = [error]
    while chain:
        if (one := chain.pop()) is None or id(one) in seen:
            continue
        seen.add(id(one))
        assert isinstance(one, FrappeError)
        assert SECRET not in str(one) + repr(one) + str(vars(one))
        chain += [one.__cause__, one.__context__]
    assert SECRET not in "".join(traceback.format_exception(error))
    gc.collect()
    frame = error.__traceback__
    while frame is not None:
        if "bascule" in frame.tb_frame.f_code.co_filename:
            assert SECRET not in str({k: repr(v) for k, v in frame.tb_frame.f_locals.items()})
        frame = frame.tb_next

"""What may be said of a connection, and the words in which the rest is refused."""

import os
from pathlib import Path
from typing import Any

import pytest

from bascule.connections.slugs import slug_of
from bascule.errors import Invalid
from bascule.reach import may_connect
from bascule.sites.fields import checked

ANYWHERE = may_connect(private_networks=True, loopback=True)


def address(pasted: str, *, allow_http: bool = False) -> str:
    return str(checked({"api_url": pasted}, allow_http=allow_http, may_connect=ANYWHERE)["api_url"])


def refusal(allow_http: bool = False, **values: Any) -> dict[str, str]:
    with pytest.raises(Invalid) as refused:
        checked(values, allow_http=allow_http, may_connect=ANYWHERE)
    return refused.value.fields


@pytest.mark.parametrize(
    ("pasted", "kept"),
    [
        ("https://erp.example.com", "https://erp.example.com"),
        ("  HTTPS://ERP.Example.com/  ", "https://erp.example.com"),
        ("erp.example.com", "https://erp.example.com"),
        ("https://erp.example.com:8443/app/home?sidebar=1#top", "https://erp.example.com:8443"),
        ("https://erp.example.com/login", "https://erp.example.com"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://site1.localhost:8000/", "http://site1.localhost:8000"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("127.0.0.1:8231", "http://127.0.0.1:8231"),
        ("localhost:8000/app", "http://localhost:8000"),
        ("[::1]:8000", "http://[::1]:8000"),
        ("erp.example.com:8443", "https://erp.example.com:8443"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("https://under_score.example.com", "https://under_score.example.com"),
    ],
)
def test_an_address_is_kept_in_one_form(pasted: str, kept: str) -> None:
    assert address(pasted) == kept


@pytest.mark.parametrize(
    "pasted",
    [
        "",
        "https://",
        "ftp://erp.example.com",
        "https://user:pass@erp.example.com",
        "https://erp.example.com:99999",
        "https://erp.example.com:0",
        "https://[::1",
        "https://erp..example.com",
        "https://-erp.example.com",
        "https://erp.example.com/some/folder",
        "https://erp example.com",
        "https://" + "a" * 64 + ".example.com",
        "javascript:alert(1)",
        "https://erp.example.com\r\nHost: evil",
        "https://\x00",
        "http://[fe80::1%25eth0]:80",
    ],
)
def test_what_is_no_address_is_refused_in_words(pasted: str) -> None:
    assert refusal(api_url=pasted)["api_url"]


def test_plain_http_is_for_loopback_unless_it_is_allowed() -> None:
    assert "plain HTTP" in refusal(api_url="http://erp.example.com")["api_url"]
    assert "plain HTTP" in refusal(api_url="http://10.0.0.5:8000")["api_url"]
    assert address("http://10.0.0.5:8000", allow_http=True) == "http://10.0.0.5:8000"


def test_everything_that_is_wrong_is_said_at_once() -> None:
    wrong = refusal(
        api_url="nowhere at all",
        api_key="",
        api_secret="two words",
        lookback_days=0,
        schedule="sometimes",
        warehouse_filter=["Stores - AT", 5],
        sync_orders="perhaps",
        max_concurrency=99,
        name=" ",
    )
    assert set(wrong) == {
        "api_url",
        "api_key",
        "api_secret",
        "lookback_days",
        "schedule",
        "warehouse_filter",
        "sync_orders",
        "max_concurrency",
        "name",
    }
    assert "Generate Keys" in wrong["api_key"]


def test_a_key_pasted_with_its_secret_is_noticed_and_never_repeated() -> None:
    with pytest.raises(Invalid) as refused:
        checked({"api_key": "abc:s3cret"}, allow_http=False, may_connect=ANYWHERE)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("slug", ["pg_temp", "bascule", "public", "Upper", "1st", "a-b", "a" * 41])
def test_a_slug_is_a_schema_that_is_free_to_take(slug: str) -> None:
    assert refusal(slug=slug)["slug"]


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Acme Trading B.V.", "acme_trading_b_v"),
        ("Müller & Söhne", "muller_sohne"),
        ("株式会社", "site"),
        ("2nd Hand", "site_2nd_hand"),
        ("pg_catalog", "site_pg_catalog"),
        ("status", "site_status"),
        ("x" * 100, "x" * 34),
    ],
)
def test_a_slug_is_made_of_any_name(name: str, slug: str) -> None:
    assert slug_of(name) == slug
    assert checked({"slug": slug_of(name)}, allow_http=False, may_connect=ANYWHERE)


@pytest.mark.timeout(20)
def test_what_is_no_file_of_certificates_is_not_read_for_ever(tmp_path: Path) -> None:
    pipe, empty, other = tmp_path / "pipe", tmp_path / "empty.pem", tmp_path / "other.pem"
    os.mkfifo(pipe)
    empty.touch()
    other.write_text("no certificate")
    for path in (pipe, empty, other, tmp_path, tmp_path / "nowhere", "/proc/kmsg"):
        wrong = refusal(ca_bundle=str(path))
        assert wrong["ca_bundle"].startswith("is not a readable PEM file"), path

"""What cannot be done: the exit code tells which kind, the words what is wrong and what to do."""

import socket
from collections.abc import Callable
from typing import Any

import pytest

from tests.kit.command import Bascule, Said, way_in


def refused(said: Said, code: int, *words: str) -> None:
    """Two lines, the second a next step; no traceback."""
    assert said.code == code, said
    lines = said.err.strip().splitlines()
    assert lines[-2].startswith("✗ "), said.err
    assert lines[-1].startswith("  → "), said.err
    assert "Traceback" not in said.err
    for word in words:
        assert word in said.err


@pytest.fixture(scope="module")
def empty(make_bascule: Callable[..., Bascule]) -> Bascule:
    return make_bascule()


def test_a_wrong_secret_is_refused_and_never_repeated(empty: Bascule, site: Any) -> None:
    secret = "not-the-secret-of-anyone"
    for verb in ("check", "connect"):
        said = empty(verb, **way_in(site) | {"BASCULE_SITE_SECRET": secret})
        refused(said, 3)
        assert secret not in said.out + said.err
    assert "No ERPNext site is connected" in empty("status").out


def test_a_site_that_is_not_there_is_unreachable(empty: Bascule, site: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    refused(empty("check", **way_in(site) | {"BASCULE_SITE_URL": url}), 3)


def test_plain_http_to_elsewhere_is_refused_before_anything_is_sent(empty: Bascule) -> None:
    said = empty("check", "--url", "http://erp.example.com", "--key", "k", "--secret", "s")
    refused(said, 2, "--url")
    assert "api_url" not in said.err


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["sync", "--nonsense", "--json"], "No such option: --nonsense"),
        (["nonsense", "--json"], "No such command 'nonsense'."),
        (["export", "--json"], "Missing argument"),
        (["logs", "not-a-number", "--json"], "a valid integer"),
    ],
)
def test_words_that_are_not_understood_are_answered_in_json_where_it_is_asked_for(
    empty: Bascule, words: list[str], what: str
) -> None:
    said = empty(*words)
    refused(said, 2, what)
    assert said.json["exit_code"] == 2
    assert what in said.json["error"]
    assert "--help" in said.json["next_step"]


def test_what_is_not_there_is_looked_for_with_a_verb(empty: Bascule) -> None:
    said = empty("status", "no_such", "--json")
    refused(said, 2, "'bascule status' lists the ones there are")
    assert "/api/" not in said.err + said.out


def test_a_missing_secret_is_asked_for_and_nobody_is_there(empty: Bascule) -> None:
    said = empty("connect", "--url", "https://erp.example.com", "--key", "k")
    refused(said, 2, "BASCULE_SITE_SECRET", "Generate Keys")


@pytest.mark.parametrize("verb", ["sync", "verify"])
def test_with_no_connection_it_says_how_to_make_one(empty: Bascule, verb: str) -> None:
    refused(empty(verb), 2, "bascule connect", "bascule demo")


@pytest.mark.parametrize(
    "arguments",
    [
        ("sync", "nobody"),
        ("verify", "nobody"),
        ("status", "nobody"),
        ("check", "nobody"),
        ("disconnect", "nobody", "--yes"),
        ("export", "inventory", "--connection", "nobody"),
    ],
)
def test_an_unknown_connection_is_named_as_one(
    bascule: Bascule, arguments: tuple[str, ...]
) -> None:
    refused(bascule(*arguments), 2, "bascule status")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("export", "inventory", "--format", "xlsx"), ("xlsx", "parquet")),
        (("export", "inventory", "-o", "/tmp/rows.xlsx"), ("rows.xlsx", "parquet")),
        (("export", "no_such_view"), ("no_such_view",)),
        (("export", "inventory", "--where", "colour=red"), ("colour",)),
        (("export", "inventory", "--where", "nonsense"), ("nonsense",)),
        (("export", "inventory", "--json"), ("--output",)),
        (("logs", "999999"), ("999999",)),
        (("streams", "add", "Nonsense"), ("Nonsense",)),
        (("streams", "off", "Nonsense"), ("Nonsense", "streams add")),
        (("streams", "filter", "Item", "nonsense"), ("nonsense",)),
        (("streams", "rename", "Item", "nonsense"), ("nonsense",)),
        (("sync", "--stream", "Nonsense"), ("Nonsense",)),
        (("disconnect", "shop"), ("--yes",)),
    ],
)
def test_what_cannot_be_done_says_why_and_what_to_do(
    bascule: Bascule, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    refused(bascule(*arguments), 2, *words)


def test_a_folder_that_is_not_there_fails_the_export(bascule: Bascule) -> None:
    refused(bascule("export", "inventory", "-o", "/nowhere/at/all/rows.csv"), 1, "/nowhere")


def test_machines_get_the_refusal_as_json(bascule: Bascule) -> None:
    said = bascule("sync", "nobody", "--json")
    assert said.code == 2
    assert said.json["exit_code"] == 2
    assert said.json["next_step"]


def test_a_database_that_is_not_there_exits_with_4(make_bascule: Callable[..., Bascule]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    url = f"postgresql://hub:hunter2@127.0.0.1:{port}/hub"
    gone = make_bascule(BASCULE_DATABASE_URL=url)
    said = gone("status")
    refused(said, 4)
    assert "hunter2" not in said.err
    assert "Traceback" in gone("status", BASCULE_LOG_LEVEL="DEBUG").err
    doctor = gone("doctor")
    assert doctor.code == 1
    assert "Database" in doctor.out
    assert "hunter2" not in doctor.out + doctor.err


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("BASCULE_PORT", "eighty", "integer"),
        ("BASCULE_LOG_LEVEL", "LOUD", "'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
        ("BASCULE_WORKER_CONCURRENCY", "many", "integer"),
        ("BASCULE_ALLOW_HTTP", "perhaps", "boolean"),
        ("BASCULE_PUBLIC_URL", "hub.example.com", "match"),
        ("BASCULE_USE_MONGODB", "true", "MongoDB is coming"),
    ],
)
def test_a_setting_that_cannot_be_taken_is_named(
    empty: Bascule, name: str, value: str, told: str
) -> None:
    said = empty("status", **{name: value})
    refused(said, 2, name)
    assert told in said.err


def test_settings_are_taken_as_people_write_them(empty: Bascule) -> None:
    said = empty("status", "--json", BASCULE_LOG_LEVEL="debug", USE_MONGODB="false")
    assert said.code == 0, said.err


def test_a_port_that_is_taken_is_said(empty: Bascule) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused(empty("serve", "--port", port), 1, port)
        refused(empty("sandbox", "--port", port), 1, port)


def test_a_fault_or_a_folder_that_the_sandbox_does_not_know_is_said(empty: Bascule) -> None:
    refused(empty("sandbox", "--fault", "gremlins"), 2, "gremlins")
    refused(empty("sandbox", "--from", "/nowhere/at/all"), 2, "/nowhere/at/all")

"""What the command line says of the company's sign-in provider, and of settings that do not fit."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from bascule.settings import Settings
from tests.accounts.provider import CLIENT, SECRET, StandIn
from tests.kit.command_in_process import Run

OIDC = {
    "BASCULE_OIDC_CLIENT_ID": CLIENT,
    "BASCULE_OIDC_CLIENT_SECRET": SECRET,
    "BASCULE_OIDC_NAME": "Acme",
    "BASCULE_PUBLIC_URL": "https://hub.test",
}


@pytest.fixture
def provider() -> Iterator[StandIn]:
    with StandIn() as running:
        yield running


def found(machine: Run, **settings: str) -> Any:
    said = machine("doctor", "--json", **OIDC, **settings)
    assert SECRET not in said.out + said.err
    [finding] = [one for one in said.json["findings"] if one["what"] == "Sign-in by Acme"]
    return finding


def test_a_doctor_looks_at_the_sign_in_provider(machine: Run, provider: StandIn) -> None:
    well = found(machine, BASCULE_OIDC_ISSUER=provider.url)
    assert well["state"] == "ok"
    assert "https://hub.test/sign-in/oidc/callback" in well["found"]
    provider.describe = {"issuer": f"{provider.url}/"}
    other = found(machine, BASCULE_OIDC_ISSUER=provider.url)
    assert other["state"] == "ill" and "to the last slash" in other["found"]
    assert "BASCULE_OIDC_ISSUER" in other["next_step"]
    provider.anew()
    provider.answers = {"/keys": (200, b'{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}')}
    assert "no public key" in found(machine, BASCULE_OIDC_ISSUER=provider.url)["found"]
    provider.answers = {"/.well-known/openid-configuration": (404, b"{}")}
    assert "HTTP 404" in found(machine, BASCULE_OIDC_ISSUER=provider.url)["found"]


def test_a_doctor_tells_of_a_provider_that_is_not_there(machine: Run, tmp_path: Path) -> None:
    gone = found(machine, BASCULE_OIDC_ISSUER="http://127.0.0.1:1")
    assert gone["state"] == "ill" and "nothing answers there" in gone["found"]
    unknown = found(machine, BASCULE_OIDC_ISSUER="https://login.invalid")
    assert unknown["state"] == "ill" and "cannot be reached" in unknown["found"]
    no_file = {"BASCULE_CA_BUNDLE": str(tmp_path / "none.pem")}
    lost = found(machine, BASCULE_OIDC_ISSUER="https://login.invalid", **no_file)
    assert lost["state"] == "ill" and "cannot be reached" in lost["found"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"oidc_issuer": "http://login.example.com"}, "is https"),
        ({"oidc_issuer": "https://a:b@login.example.com"}, "pattern"),
        ({"oidc_issuer": "ftp://login.example.com"}, "pattern"),
        ({"oidc_client_id": None}, "BASCULE_OIDC_CLIENT_ID"),
        ({"public_url": "http://hub.example.com"}, "BASCULE_PUBLIC_URL is https"),
        ({"public_url": None, "host": "0.0.0.0"}, "needs BASCULE_PUBLIC_URL"),
        ({"oidc_new_people": "viewer"}, "BASCULE_OIDC_DOMAINS"),
        ({"oidc_new_people": "viewer", "oidc_domains": " , "}, "BASCULE_OIDC_DOMAINS"),
        ({"oidc_new_people": "admin", "oidc_domains": "x.test"}, "nobody"),
    ],
)
def test_settings_that_would_let_others_in_are_refused(given: dict[str, Any], said: str) -> None:
    fits = {
        "oidc_issuer": "https://login.example.com",
        "oidc_client_id": "hub",
        "public_url": "https://hub.example.com",
    }
    assert Settings.model_validate(fits).oidc_new_people == "nobody"
    with pytest.raises(ValidationError, match=said):
        Settings.model_validate({**fits, **given})


def test_settings_that_do_not_fit_are_told_before_anything_is_done(machine: Run) -> None:
    more = {**OIDC, "BASCULE_OIDC_ISSUER": "https://x.test", "BASCULE_OIDC_CLIENT_ID": ""}
    said = machine("status", **more)
    assert said.code == 2
    needs = "The settings cannot be read: BASCULE_OIDC_ISSUER needs BASCULE_OIDC_CLIENT_ID too."
    assert needs in " ".join(said.err.split())
    assert SECRET not in said.out + said.err


def test_what_somebody_lost_is_ended_on_the_machine(machine: Run) -> None:
    assert machine("users", "invite", "anna").code == 0
    told = machine("users", "second-factor", "anna", "--json").json
    assert told == {"username": "anna", "second_factor": False, "passkeys": 0}
    assert "no authenticator app and no passkeys" in machine("users", "second-factor", "anna").out
    assert machine("users", "second-factor", "anna", "--off", "--yes").code == 2

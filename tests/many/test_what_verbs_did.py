"""The journal of the command line: who did what to what, from which shell, with which values."""

import getpass
from collections.abc import Callable
from typing import Any

from tests.kit.api import Api
from tests.kit.desk import Desk

Sit = Callable[..., Desk]


def newest(api: Api) -> Any:
    return api.get("/api/audit", limit=1).json["entries"][0]


def test_a_verb_tells_what_it_changed_of_what_and_whose_shell_it_was(
    api: Api, say: Callable[..., Any], sit: Sit
) -> None:
    assert say("change", "site_050", "--lookback-days", "12").exit_code == 0
    entry = newest(api)
    assert entry["action"] == "cli.change"
    assert entry["object"] == "site_050"
    assert entry["connection_id"] == api.get("/api/connectors/site_050").json["id"]
    assert entry["address"] == getpass.getuser()
    assert entry["detail"] == {"outcome": "done", "changed": {"lookback_days": [90, 12]}}
    page = sit("admin").open("/audit")
    assert "Lookback days 90 → 12" in page.text
    assert say("streams", "off", "Thing 01", "Thing 02", "--connection", "site_050").exit_code == 0
    entry = newest(api)
    assert entry["object"] == "site_050 Thing 01, Thing 02"
    assert entry["detail"]["changed"] == {
        "Thing 01 enabled": [True, False],
        "Thing 02 enabled": [True, False],
    }


def test_a_verb_that_was_refused_says_so_and_changed_nothing(
    api: Api, say: Callable[..., Any], sit: Sit
) -> None:
    assert say("change", "site_051", "--schedule", "whenever").exit_code != 0
    entry = newest(api)
    assert entry["object"] == "site_051"
    assert entry["detail"] == {"outcome": "refused"}
    assert "Not taken" in sit("admin").open("/audit").text
    assert say("users", "invite", "nadia").exit_code == 0
    entry = newest(api)
    assert (entry["object"], entry["detail"]) == ("nadia", {"outcome": "done"})

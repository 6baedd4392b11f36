"""People looked after on the hub's machine: links that let somebody in, roles, ways in that end."""

import http.client
import json
import re
import signal
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.kit.command import Bascule, Said
from tests.kit.command_in_process import Run

LINK = re.compile(r"http://[\w.:]+/welcome/[\w-]{43}")
PASSWORD = "four words that rhyme"


def people(bascule: Run) -> dict[str, Any]:
    return {user["username"]: user for user in bascule("users", "--json").json["users"]}


def refused(said: Said, *words: str) -> None:
    assert said.code == 2, said
    assert said.out == ""
    for word in words:
        assert word in said.err


def test_people_are_invited_changed_and_switched_off(machine: Run) -> None:
    said = machine("users", "invite", "Anna", "--email", "Anna@Example.com", "--role", "editor")
    assert said.code == 0, said.err
    assert LINK.fullmatch(said.out.strip())
    assert said.out.startswith("http://hub.test:8099/welcome/")
    anna = people(machine)["anna"]
    assert (anna["email"], anna["role"], anna["has_password"]) == (
        "anna@example.com",
        "editor",
        False,
    )
    refused(machine("users", "invite", "anna"), "somebody else's already")
    refused(machine("users", "invite", "not a name"), "username")
    refused(machine("users", "role", "anna", "boss"), "viewer, editor, accountant, admin")
    refused(machine("users", "role", "nobody", "viewer"), "bascule users")
    assert machine("users", "role", "anna@example.com", "viewer", "--json").json["role"] == "viewer"
    refused(machine("users", "deactivate", "anna"), "--yes")
    refused(machine("users", "reset", "anna"), "--yes")
    refused(machine("users", "deactivate", "admin", "--yes"), "only admin")
    assert people(machine)["anna"]["active"]
    assert machine("users", "deactivate", "anna", "--yes").code == 0
    assert not people(machine)["anna"]["active"]
    refused(machine("users", "reset", "anna", "--yes"), "deactivated")
    refused(machine("token", "--user", "anna"), "deactivated")
    assert machine("users", "activate", "anna").code == 0
    told = machine("users", "reset", "anna", "--yes", "--json").json
    assert told["user"]["username"] == "anna"
    assert LINK.fullmatch(told["link"])
    listed = machine("users")
    assert "no password yet" in listed.out
    assert "anna@example.com" in listed.out
    assert told["link"].rpartition("/")[2] not in listed.out


def test_a_verb_acts_for_the_owner_of_the_token_with_their_role(machine: Run) -> None:
    assert machine("users", "invite", "eddy", "--role", "editor").code == 0
    made = machine("token", "--user", "eddy", "--name", "a script", "--json").json
    assert (made["user"], made["scope"], made["name"]) == ("eddy", "write", "a script")
    editor = {"BASCULE_TOKEN": made["token"]}
    assert machine("status", **editor).code == 0
    refused(machine("users", **editor), "permission people.manage")
    refused(machine("users", "role", "eddy", "admin", **editor), "env -u BASCULE_TOKEN")
    refused(machine("token", **editor), "env -u BASCULE_TOKEN")
    reading = {"BASCULE_TOKEN": machine("token", "--read").out.strip()}
    assert machine("status", **reading).code == 0
    refused(machine("users", "deactivate", "eddy", "--yes", **reading), "only read")
    ruling = {"BASCULE_TOKEN": machine("token", "--days", "7").out.strip()}
    for verb in (("role", "eddy", "admin"), ("invite", "mole"), ("reset", "eddy", "--yes")):
        refused(machine("users", *verb, **ruling), "env -u BASCULE_TOKEN")
    refused(machine("token", "--user", "eddy", "--scope", "admin"), "read, write")
    assert people(machine)["eddy"]["role"] == "editor"


def post(url: str, form: dict[str, str]) -> tuple[int, str]:
    to = urlsplit(url)
    asking = http.client.HTTPConnection(to.hostname or "", to.port, timeout=60)
    try:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        asking.request("POST", to.path, urlencode(form), headers)
        answer = asking.getresponse()
        answer.read()
        return answer.status, answer.getheader("location", "")
    finally:
        asking.close()


def test_a_first_start_prints_a_link_until_somebody_chose_a_password(
    make_bascule: Callable[..., Bascule], database_url: str
) -> None:
    bascule = make_bascule(BASCULE_DATABASE_URL=database_url)
    links = []
    for start in ("up", "serve"):
        process = bascule.start(start, "--port", "0", "--json")
        told = document(process)
        links.append(told["welcome"])
        assert told["welcome"].startswith(f"{told['url']}/welcome/")
        if start == "serve":
            token = told["welcome"].rpartition("/")[2]
            old = links[0].rpartition("/")[2]
            form = {"password": PASSWORD, "again": PASSWORD}
            assert post(f"{told['url']}/welcome/{old}", form)[0] == 404
            assert post(f"{told['url']}/welcome/{token}", form) == (303, "/")
            assert post(f"{told['url']}/welcome/{token}", form)[0] == 404
            assert post(f"{told['url']}/sign-in", {"name": "admin", **form}) == (303, "/")
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
        assert "/welcome/" not in out + err  # told once, and never logged
    assert len(set(links)) == 2
    process = bascule.start("serve", "--port", "0", "--json")
    assert document(process)["welcome"] is None
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)


def document(process: Any) -> Any:
    text = ""
    for line in process.stdout:
        text += line
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            continue
    raise AssertionError(process.communicate()[1] + text)

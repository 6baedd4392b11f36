"""What each role may on the command line; and a private connection is its owner's there too."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import typer.main

from bascule.accounts.people import users
from bascule.accounts.permissions import BUILT_IN_ROLES, named
from bascule.accounts.tokens import issue_token
from bascule.cli import app
from bascule.hub import open_hub
from bascule.permissions import load
from bascule.settings import Settings
from bascule.sites.fields import NewConnection
from bascule.sites.service import connect_site
from tests.kit.command_in_process import Run

EVERY = {"viewer": "streams", "editor": "sync", "admin": "users"}
# What leads to a person's powers is no token's to do.
POWERS = {f"users {verb}" for verb in ("invite", "role", "activate", "reset", "second-factor")}
OURS = {
    "connect",
    "streams add",
    "streams remove",
    "disconnect",
    "sync",
    "verify",
    "check",
    "change",
}


def verbs(command: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Each verb as one types it, and what it says it needs."""
    for name, child in command.commands.items():
        said = f"{path} {name}".strip()
        needed = child.callback.__wrapped__.needed if child.callback else None
        yield said, needed
        if getattr(child, "commands", None):
            yield from verbs(child, said)


VERBS = dict(verbs(typer.main.get_command(app)))


def test_every_verb_says_whom_it_is_for() -> None:
    assert len(VERBS) > 25
    permissions = {each.name for each in load()}
    assert set(VERBS.values()) <= permissions | {"machine", "anybody"}
    for verb, needed in VERBS.items():
        if verb.startswith("users"):
            assert needed == ("machine" if verb in POWERS else "people.manage"), verb
        elif verb in OURS:
            assert named(needed).scope == "write", verb
    for verb in ("up", "serve", "worker", "token", "rotate-key", "psql", "doctor"):
        assert VERBS[verb] == "machine", verb


ON_WEBHOOKS = ("set-up", "check", "fix", "mend", "rotate", "retry", "remove", "clear", "deliveries")
ON_TWO_WAY = ("check", "begin", "matches", "confirm", "off")
# Enough to reach the hub; of what is not there, or it would be done.
WORDS: dict[str, list[str]] = {
    "connect": ["--url", "https://erp.invalid", "--key", "k", "--secret", "s", "--no-check"],
    "check": ["nothing"],
    "sync": ["nothing"],
    "verify": ["nothing"],
    "status": ["nothing"],
    "logs": ["999999"],
    "export": ["inventory", "--connection", "nothing"],
    "change": ["nothing", "--schedule", "hourly"],
    "disconnect": ["nothing", "--yes"],
    "cancel": ["999999"],
    "cleanups": [],
    "cleanups retry": ["999999"],
    "cleanups give-up": ["999999", "--yes"],
    "sites": [],
    "sites allow": ["http://erp.internal"],
    "sites forbid": ["http://erp.internal", "--yes"],
    "users": [],
    "users invite": ["somebody"],
    "users role": ["nobody", "viewer"],
    "users deactivate": ["nobody", "--yes"],
    "users activate": ["nobody"],
    "users reset": ["nobody", "--yes"],
    "users left": ["nobody"],
    "users second-factor": ["nobody"],
    "records": [],
    "system": [],
    "restore": ["nothing"],
    "records list": ["customers"],
    "records show": ["customers", "1"],
    "records sync": ["customers"],
    "records conflicts": [],
    "records resolve": ["customers", "1", "here"],
    "records settle": ["customers", "1", "here"],
    "records retry": [],
    "records do": ["customers", "1", "retry"],
    "records join": ["customers", "1", "Somebody"],
    "attention": [],
    "outbox": [],
    "outbox show": ["1"],
    "outbox retry": ["1"],
    **{f"outbox {verb}": ["1", "--yes"] for verb in ("give-up", "undo")},
    **{f"two-way {verb}": ["customers", "--connection", "nothing"] for verb in ON_TWO_WAY},
    "two-way": [],
    "two-way restored": ["customers", "here", "--connection", "nothing", "--yes"],
    "two-way decide": ["customers", "1", "pair", "--connection", "nothing"],
    **{f"webhooks {verb}": ["--connection", "nothing"] for verb in ON_WEBHOOKS},
    "webhooks": ["--connection", "nothing"],
    "streams": ["--connection", "nothing"],
    "streams try-again": ["--connection", "nothing"],
    "streams remove": ["Item", "--connection", "nothing", "--yes"],
}
ASKED = [verb for verb, needed in VERBS.items() if needed != "anybody"]


@pytest.fixture
def tokens(machine: Run) -> dict[str, str]:
    made: dict[str, str] = {}
    for role in BUILT_IN_ROLES:
        assert machine("users", "invite", role + "-one", "--role", role).code == 0
        made[role] = machine("token", "--user", role + "-one").out.strip()
    made["reading"] = machine("token", "--user", "admin-one", "--read").out.strip()
    made["nobody"] = "bsc_" + "x" * 43
    return made


def test_each_role_may_what_the_verb_says_and_no_more(machine: Run, tokens: dict[str, str]) -> None:
    for verb in ASKED:
        needed = VERBS[verb]
        words = WORDS.get(verb, ["Item", "--connection", "nothing"])
        if needed == "machine":
            words = WORDS.get(verb, [])
        for who, token in tokens.items():
            said = machine(*verb.split(), *words, BASCULE_TOKEN=token)
            case = (verb, who, said)
            if needed == "machine":
                assert said.code == 2, case
                assert "env -u BASCULE_TOKEN" in said.err, case
            elif who == "nobody":
                assert said.code == 2, case
                assert "opens nothing here" in said.err, case
            elif who == "reading" and named(needed).scope != "read":
                assert said.code == 2, case
                assert "may only read" in said.err, case
            elif who in BUILT_IN_ROLES and who not in named(needed).roles:
                assert said.code == 2, case
                assert f"needs the permission {needed}" in said.err, case
            else:
                assert "needs the permission" not in said.err, case
                assert "may only read" not in said.err, case
            assert token not in said.out + said.err


def test_a_private_connection_is_not_there_for_others(
    machine: Run, tokens: dict[str, str], settings: Settings, tmp_path: Any
) -> None:
    slug, number = asyncio.run(hidden(settings))
    asked = (
        ("status", "{}"),
        ("streams", "--connection", "{}"),
        ("logs", "--connection", "{}"),
        ("sync", "{}"),
        ("verify", "{}"),
        ("check", "{}"),
        ("export", "inventory", "--connection", "{}"),
        ("streams", "add", "Item", "--connection", "{}"),
        ("streams", "off", "Supplier", "--connection", "{}"),
        ("two-way", "check", "customers", "--connection", "{}"),
        ("two-way", "matches", "customers", "--connection", "{}"),
        ("two-way", "confirm", "customers", "--connection", "{}", "--yes"),
        ("webhooks", "--connection", "{}"),
        ("webhooks", "set-up", "--connection", "{}"),
        ("webhooks", "remove", "--connection", "{}", "--yes"),
        ("disconnect", "{}", "--yes"),
    )
    for role in ("editor", "admin"):
        as_other = {"BASCULE_TOKEN": tokens[role]}
        for words in asked:
            answers = [
                machine(*(word.format(name) for word in words), **as_other)
                for name in (slug, number, "not_there")
            ]
            assert {said.code for said in answers} == {2}, answers
            assert len({said.err + said.out for said in answers}) == 1, answers
        for line in ("status", "streams", "logs", "status --json"):
            said = machine(*line.split(), **as_other)
            assert slug not in said.out + said.err
            assert "Hidden" not in said.out + said.err
    assert slug in machine("status").out  # the machine's owner sees all


async def hidden(settings: Settings) -> tuple[str, str]:
    async with open_hub(settings) as hub:
        async with hub.db.session() as session:
            owner, _ = await users.invite(session, "owner", role="editor")
            await issue_token(session, "tests", owner)
            session.expunge(owner)
        new = NewConnection(
            name="Hidden", api_url="https://erp.invalid", api_key="k", api_secret="s"
        )
        connection, _ = await connect_site(hub, new, by=owner, test=False)
        return connection.slug, str(connection.id)

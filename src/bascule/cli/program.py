"""The verbs put together: their names, their order in the help, and the way in."""

import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from bascule import __version__
from bascule.cli import attention, export, outbox, records, serve, system, two_way, webhooks
from bascule.cli.admin import backup, doctor, maintenance, rotate_key, users
from bascule.cli.connections import change, check, cleanups, connect, sites, streams
from bascule.cli.demo import command
from bascule.cli.exit_codes import Exit, refuse_words, verb
from bascule.cli.identity import Needed
from bascule.cli.runs import cancel, status, sync


class Words(TyperGroup):
    """The verbs. Words that none of them takes are answered in JSON too, where it is asked for."""

    def main(self, *given: Any, **more: Any) -> Any:
        args = more.get("args", given[0] if given else None)
        if "--json" not in (sys.argv[1:] if args is None else args):
            return super().main(*given, **more)
        try:
            code = super().main(*given, **{**more, "standalone_mode": False})
        except TyperException as error:  # of the words alone: all else is the verb's own
            code = refuse_words(error)
        except typer.Abort:
            code = Exit.INTERRUPTED
        sys.exit(code if isinstance(code, int) else Exit.DONE)


app = typer.Typer(
    name="bascule",
    cls=Words,
    help="The two-way bridge to ERPNext: mirrors a site into PostgreSQL, provably.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="What each verb answers and its exit codes: docs/cli.md",
)

START = "Start here"
MIRROR = "The mirror"
BOTH_WAYS = "Both ways"
RUN = "Run it"
UPKEEP = "Look after it"

# Each with the permission that it needs.
VERBS: dict[str, tuple[tuple[Callable[..., Any], Needed], ...]] = {
    START: (
        (command.demo, "anybody"),
        (connect.connect, "connections.edit"),
        (check.check, "connections.edit"),
    ),
    MIRROR: (
        (sync.sync, "sync.run"),
        (sync.verify, "sync.run"),
        (status.status, "data.read"),
        (status.logs, "data.read"),
        (cancel.cancel, "sync.run"),
        (export.export, "data.read"),
    ),
    RUN: (
        (serve.up, "machine"),
        (serve.serve, "machine"),
        (serve.worker, "machine"),
        (serve.sandbox, "anybody"),
    ),
    UPKEEP: (
        (attention.attention, "data.read"),
        (doctor.doctor, "machine"),
        (system.system, "system.read"),
        (backup.backup, "machine"),
        (backup.restore, "machine"),
        (maintenance.token, "machine"),
        (rotate_key.rotate_key, "machine"),
        (change.change, "connections.edit"),
        (connect.disconnect, "connections.edit"),
    ),
}
for panel, verbs in VERBS.items():
    for function, needed in verbs:
        app.command(rich_help_panel=panel)(verb(needed)(function))
app.add_typer(streams.app, name="streams", rich_help_panel=MIRROR)
app.add_typer(two_way.app, name="two-way", rich_help_panel=BOTH_WAYS)
app.add_typer(records.app, name="records", rich_help_panel=BOTH_WAYS)
app.add_typer(outbox.app, name="outbox", rich_help_panel=BOTH_WAYS)
app.add_typer(webhooks.app, name="webhooks", rich_help_panel=BOTH_WAYS)
app.add_typer(users.app, name="users", rich_help_panel=UPKEEP)
app.add_typer(sites.app, name="sites", rich_help_panel=UPKEEP)
app.add_typer(cleanups.app, name="cleanups", rich_help_panel=UPKEEP)
app.command(
    rich_help_panel=UPKEEP,
    # Whatever is not ours is psql's.
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)(verb("machine")(maintenance.psql))


def _version(wanted: bool) -> None:
    if wanted:
        print(f"bascule {__version__}")
        raise typer.Exit


@app.callback()
def bascule(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    pass


def main() -> None:
    app(prog_name="bascule")

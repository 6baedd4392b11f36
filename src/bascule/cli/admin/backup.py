"""`backup` and `restore`: the hub's database into a file, and out of one into a data folder."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bascule.cli.exit_codes import Exit, Refused
from bascule.cli.prompts import confirm
from bascule.cli.terminal import AsJson, Quiet, document, err, escape, out

if TYPE_CHECKING:
    from bascule.settings import Settings
    from bascule.store.backup.archive import Backup, Manifest
    from bascule.store.backup.create import Counted, Say

WORD_EVERY = 5.0  # seconds between two lines about the same step, where there is no terminal


def backup(
    file: Annotated[
        Path | None,
        typer.Argument(help="Where to; bascule-DATE.backup in this folder if left out."),
    ] = None,
    with_key: Annotated[
        bool,
        typer.Option(
            "--with-key",
            help="The secret key too: who has the file then has every stored credential.",
        ),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the file where there is one.")
    ] = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Write all that the hub has into one file, while it runs. Its mode is 600.

    Without --with-key the file tells the key's fingerprint alone: keep the key elsewhere.
    docs/backup.md has the rest, and how it is done with a PostgreSQL of yours.
    """
    settings = _embedded("back up", "pg_dump")
    from bascule.store.backup.create import back_up

    path = (file or Path(f"bascule-{datetime.now(UTC):%Y-%m-%dT%H%M%S}.backup")).absolute()
    with _telling(quiet=quiet or as_json) as say:
        made = back_up(settings, path, with_key=with_key, overwrite=overwrite, say=say)
    size = path.stat().st_size
    if as_json:
        document({"file": str(path), "bytes": size, **made.as_json()})
        return Exit.DONE
    out.print(f"{escape(str(path))}: {_size(size)}, {_what(made)}.")
    if with_key:
        out.print("It holds the secret key: keep it as you would keep the passwords in it.")
    else:
        out.print(
            f"The secret key is not in it. Without the one of fingerprint {made.fingerprints[0]} "
            "no stored credential can be read:"
        )
        out.print(f"  keep {_where_the_key_is(settings)} in another place than this file.")
    return Exit.DONE


def restore(
    file: Annotated[Path, typer.Argument(help="What 'bascule backup' wrote.")],
    check: Annotated[
        bool,
        typer.Option("--check", help="Only say whether the file is whole and fits here."),
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="In place of what is in the data folder today.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> int:
    """Put a backup into the data folder, on this machine or another; the hub must not run.

    Everybody signs in anew afterwards. Never let two hubs run that come from one: stop the old
    one for good before this one starts.
    """
    settings = _embedded("restore", "pg_restore")
    from bascule.job_modules import JOB_MODULES
    from bascule.jobs import load
    from bascule.store.backup.archive import read_backup
    from bascule.store.backup.restore import look
    from bascule.store.backup.restore import restore as put_back
    from bascule.store.data_dir import private_files

    load(JOB_MODULES)  # with them come those who put a restored database right
    with private_files():
        found = read_backup(file.absolute())
        fits = look(settings, found)
        if check:
            return _checked(found, fits.replaces, quiet=quiet, as_json=as_json)
        if fits.replaces is not None:
            _refuse_unless(replace, fits.data, fits.replaces)
            confirm(f"Delete what is in {fits.data} and put the backup in its place", yes=yes)
        with _telling(quiet=quiet or as_json) as say:
            now = put_back(settings, found, fits, say)
    if as_json:
        told = {"data_dir": str(fits.data), **asdict(now), "key_restored": fits.brings_key}
        document({**told, "made_at": found.manifest.made_at})
        return Exit.DONE
    out.print(f"{escape(str(fits.data))} has the state of {_when(found.manifest)}: {_what(now)}.")
    out.print("Start it with 'bascule up'. What changed in ERPNext since is taken in by itself.")
    out.print(
        "Everybody signs in anew. API tokens that were revoked since are valid again: look "
        "through them. If the hub that this was taken of still runs, stop it first."
    )
    return Exit.DONE


def _embedded(verb: str, program: str) -> "Settings":
    from bascule.settings import get_settings

    settings = get_settings()
    if settings.database_url is not None:
        raise Refused(
            f"The database is a PostgreSQL of yours, which this does not {verb}.",
            next_step=f"Use {program}, as docs/backup.md shows, and keep the secret key too.",
        )
    return settings


def _refuse_unless(replace: bool, data: Path, there: "Counted") -> None:
    if not replace:
        raise Refused(
            f"{data} has a hub already: {_what(there)}.",
            next_step="Name an empty folder in BASCULE_DATA_DIR, or add --replace to delete what "
            "is there.",
        )


def _checked(found: "Backup", replaces: "Counted | None", *, quiet: bool, as_json: bool) -> int:
    with _telling(quiet=quiet or as_json) as say:
        read = 0
        for part in found.copy_dump(None):
            read += part
            say("Reading", 0, 0, read)
    if as_json:
        there = None if replaces is None else asdict(replaces)
        document({**found.manifest.as_json(), "whole": True, "replaces": there})
        return Exit.DONE
    out.print(f"It is whole, of {_when(found.manifest)}, and fits here: {_what(found.manifest)}.")
    if replaces is not None:
        out.print(f"It would replace a hub: {_what(replaces)}.")
    return Exit.DONE


def _what(there: "Manifest | Counted") -> str:
    many = (
        (there.connections, "connection", "connections"),
        (there.records, "record", "records"),
        (there.people, "person", "people"),
    )
    return ", ".join(f"{n:,} {one if n == 1 else more}" for n, one, more in many)


def _when(manifest: "Manifest") -> str:
    return f"{datetime.fromisoformat(manifest.made_at):%F %H:%M} UTC"


def _where_the_key_is(settings: "Settings") -> str:
    from bascule.store.vault import KEY_FILE

    if settings.secret_key is not None:
        return "BASCULE_SECRET_KEY"
    return escape(str(settings.data_dir / KEY_FILE))


def _size(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"


@contextmanager
def _telling(*, quiet: bool) -> Iterator["Say"]:
    """One line that changes where a terminal is; elsewhere one for each step, and now and then."""
    last = ("", 0.0)

    def line(step: str, tables: int, of: int, size: int) -> str:
        far = f", table {tables:,} of {of:,}" if of and tables else ""
        return f"{step}{far}{f', {_size(size)}' if size else ''}"

    if quiet:
        yield lambda *_: None
    elif err.is_terminal:
        with err.status("Starting") as status:
            yield lambda *far: status.update(line(*far))
    else:

        def say(step: str, tables: int, of: int, size: int) -> None:
            nonlocal last
            if step != last[0] or time.monotonic() - last[1] > WORD_EVERY:
                err.print(line(step, tables, of, size))
                last = (step, time.monotonic())

        yield say

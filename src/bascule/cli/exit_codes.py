"""How a verb ends: its exit code, and the two lines that a person reads when it could not be done.

What went wrong and what to do about it are the errors' own words; see `bascule.errors`, and
`bascule.frappe` for what a site answered.
"""

import asyncio
import inspect
import os
import sys
from collections.abc import Callable
from enum import IntEnum
from functools import wraps
from typing import TYPE_CHECKING, Any

import typer

from bascule.cli.terminal import document, log_our_own, refusal
from bascule.cli.wording import spoken

if TYPE_CHECKING:
    from bascule.cli.identity import Needed


class Exit(IntEnum):
    DONE = 0
    FAILED = 1
    USAGE = 2
    SITE = 3
    DATABASE = 4
    INTERRUPTED = 130


MEANINGS = {
    Exit.DONE: "done; `verify`: the mirror is equal; `up`, `demo` and the like: stopped when told",
    Exit.FAILED: "it was tried and failed; `verify`: the mirror is not equal; `doctor`: ill; "
    "`attention`, `webhooks check`: something is wrong",
    Exit.USAGE: "it cannot be done as asked: an unknown option, connection, stream or format",
    Exit.SITE: "the site refused, may not be read, or was not reached",
    Exit.DATABASE: "the database could not be started or reached",
    Exit.INTERRUPTED: "interrupted with Ctrl-C",
}


class Refused(Exception):
    """What the command line itself has to say no to."""

    def __init__(self, message: str, *, next_step: str, code: Exit = Exit.USAGE) -> None:
        super().__init__(message)
        self.next_step = next_step
        self.code = code


def verb(
    needed: "Needed", *, group: str = ""
) -> Callable[[Callable[..., Any]], Callable[..., None]]:
    """A function, async or not, as a verb: its answer is the exit code, its errors two lines.

    `needed` is the permission that it takes, see `identity`; a test reads it off what comes back.
    """

    def made(function: Callable[..., Any]) -> Callable[..., None]:
        name = f"{group} {function.__name__.strip('_')}".strip().replace("_", "-")

        @wraps(function)
        def said(*arguments: Any, **options: Any) -> None:
            # Done is said by returning: an exit from a group's callback would stop its verb.
            if code := _run(function, name, needed, arguments, options):
                raise typer.Exit(code)

        said.needed = needed  # type: ignore[attr-defined]
        return said

    return made


def _run(
    function: Callable[..., Any],
    name: str,
    needed: "Needed",
    arguments: tuple[Any, ...],
    options: dict[str, Any],
) -> int:
    from bascule.cli.identity import begin

    if _debugging():
        log_our_own()
    try:
        begin(name, needed)
        result = function(*arguments, **options)
        if inspect.iscoroutine(result):
            result = asyncio.run(result)
    except (KeyboardInterrupt, asyncio.CancelledError):
        refusal("Interrupted.", None)
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # Who reads the output went away; Python must not complain again when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.FAILED
    except typer.Exit:
        raise
    except Exception as error:
        if _debugging():
            raise
        return _refuse(error, as_json=bool(options.get("as_json")))
    return int(result or Exit.DONE)


def _debugging() -> bool:
    return os.environ.get("BASCULE_LOG_LEVEL", "").upper() == "DEBUG"


def _refuse(error: BaseException, *, as_json: bool) -> int:
    # Tasks that ran together fail together; the first tells as much as all.
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    what, next_step, code = explained(error)
    _tell(what, next_step, code, as_json=as_json)
    return code


def _tell(what: str, next_step: str, code: Exit, *, as_json: bool) -> None:
    refusal(what, next_step)
    if as_json:
        document({"error": what, "next_step": next_step, "exit_code": int(code)})


def refuse_words(error: Any) -> Exit:
    """What was typed is not understood: Typer's UsageError, told in JSON too."""
    path = error.ctx.command_path if error.ctx else "bascule"
    _tell(error.format_message(), f"'{path} --help' tells what it takes.", Exit.USAGE, as_json=True)
    return Exit.USAGE


def _variable(name: object) -> str:
    """Of a setting; those with names of their own are told by these."""
    return str(name) if str(name).isupper() else f"BASCULE_{str(name).upper()}"


def explained(error: BaseException) -> tuple[str, str, Exit]:
    """What went wrong, the next step, and the exit code that says so."""
    if isinstance(error, Refused):
        return str(error), error.next_step, error.code

    # Only now: nobody waits for these before something went wrong.
    from pydantic import ValidationError

    from bascule.data.export import ExportFailed
    from bascule.errors import HubError, Invalid
    from bascule.frappe import FrappeError
    from bascule.refusals import DATABASE_GONE
    from bascule.sites.service import CheckFailed
    from bascule.store import StoreError

    if isinstance(error, ValidationError):
        named = ", ".join(_variable(wrong["loc"][0]) for wrong in error.errors() if wrong["loc"])
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        step = "Correct it in the environment; docs/settings.md lists what each setting takes."
        what = f"{named}: {reason}" if named else reason  # of several settings together, none
        return f"The settings cannot be read: {what}.", step, Exit.USAGE
    if isinstance(error, DATABASE_GONE):
        said = str(error).strip().splitlines()
        step = "Run 'bascule doctor'; it looks at the database and says what to do."
        return f"The database cannot be reached: {said[0] if said else ''}", step, Exit.DATABASE
    for kinds, code in (
        ((FrappeError, CheckFailed), Exit.SITE),
        ((StoreError,), Exit.DATABASE),
        ((ExportFailed,), Exit.FAILED),
        ((HubError,), Exit.USAGE),
    ):
        if isinstance(error, kinds):
            fields = error.fields if isinstance(error, Invalid) else ()
            return spoken(str(error), fields), spoken(error.next_step), code
    what = str(error) or "no more is known"
    return (
        f"This failed in a way nobody foresaw: {type(error).__name__}: {what}",
        "Run it again with BASCULE_LOG_LEVEL=DEBUG and report what it prints.",
        Exit.FAILED,
    )

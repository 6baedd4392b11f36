"""How to reach a site: given as options, in the environment, or asked for; and whether to go on."""

import sys
from typing import Annotated

import typer

from bascule.cli.exit_codes import Refused

Url = Annotated[
    str | None,
    typer.Option(
        "--url", envvar="BASCULE_SITE_URL", help="The address that you open in the browser."
    ),
]
Key = Annotated[
    str | None,
    typer.Option(
        "--key", envvar="BASCULE_SITE_KEY", help="API key: in ERPNext, My Settings, API Access."
    ),
]
Secret = Annotated[
    str | None,
    typer.Option(
        "--secret",
        envvar="BASCULE_SITE_SECRET",
        help="API secret. Better in the environment, or typed when asked for: "
        "others on this machine can read a command line.",
    ),
]
AllowHttp = Annotated[
    bool, typer.Option("--allow-http", help="Speak plain HTTP to a site that is not on loopback.")
]
CaBundle = Annotated[
    str | None,
    typer.Option("--ca-bundle", help="A PEM file, for a certificate of your own authority."),
]


def ask_for_missing(url: str | None, key: str | None, secret: str | None) -> tuple[str, str, str]:
    """What was not given is asked for, without echo where it is the secret."""
    missing = [
        f"{option} ({variable})"
        for value, option, variable in (
            (url, "--url", "BASCULE_SITE_URL"),
            (key, "--key", "BASCULE_SITE_KEY"),
            (secret, "--secret", "BASCULE_SITE_SECRET"),
        )
        if not value
    ]
    if missing and not sys.stdin.isatty():
        raise Refused(
            f"Not given, and nobody is there to ask: {', '.join(missing)}.",
            next_step="Set the variable in brackets; in ERPNext, keys are made under My Settings, "
            "API Access, Generate Keys.",
        )
    return (
        url or str(typer.prompt("ERPNext URL", err=True)),
        key or str(typer.prompt("API key", err=True)),
        secret or str(typer.prompt("API secret", hide_input=True, err=True)),
    )


def confirm(what: str, *, yes: bool) -> None:
    """Goes on when a person says y, or said --yes; else Refused."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise Refused(
            f"{what}? Nobody is there to confirm it.",
            next_step="Add --yes if that is what you want.",
        )
    if not typer.confirm(f"{what}?", err=True):
        raise Refused("Nothing was changed.", next_step="Answer y to go through with it.")

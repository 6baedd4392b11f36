"""`sites`: addresses in the hub's own network that editors may connect to."""

from typing import TYPE_CHECKING, Annotated

import typer

from bascule.cli.exit_codes import Exit, verb
from bascule.cli.identity import acting_hub
from bascule.cli.prompts import confirm
from bascule.cli.terminal import AsJson, ago, document, escape, out, show, table

if TYPE_CHECKING:
    from bascule.accounts.tables import AllowedSite

app = typer.Typer(help="Sites in the hub's own network: list, allow, take back.")

Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="https://host:port or host:port.")]


@app.callback(invoke_without_command=True)
@verb("sites.allow", group="sites")
async def list_sites(context: typer.Context, as_json: AsJson = False) -> int:
    """Addresses in the hub's own network. Without a command: those that editors may connect to."""
    if context.invoked_subcommand is not None:
        return Exit.DONE
    from bascule.accounts.allowed_sites.allowlist import allowed_sites
    from bascule.accounts.allowed_sites.api import AllowedAnswers

    async with acting_hub() as (hub, _), hub.db.session() as session:
        found = AllowedAnswers.of(await allowed_sites(session))
    if as_json:
        document(found.model_dump(mode="json"))
        return Exit.DONE
    made = table("Address", "Allowed")
    for each in found.sites:
        made.add_row(escape(each.place), ago(each.allowed_at))
    show(made)
    return Exit.DONE


@app.command()
@verb("sites.allow", group="sites")
async def allow(address: Address, as_json: AsJson = False) -> int:
    """Let editors connect to an address on the hub's machine or in a private network.

    What an admin connects there is allowed without this.
    """
    from bascule.accounts.allowed_sites import allowlist

    async with acting_hub(of=address) as (hub, viewer), hub.db.session() as session:
        _tell(await allowlist.allow(session, address, viewer), "allowed", as_json=as_json)
    return Exit.DONE


@app.command()
@verb("sites.allow", group="sites")
async def forbid(
    address: Address,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> int:
    """Take an address back: connections that lead there get no answer from then on."""
    from bascule.accounts.allowed_sites import allowlist

    confirm(f"Connect to {address} no more", yes=yes)
    async with acting_hub(of=address) as (hub, _), hub.db.session() as session:
        _tell(await allowlist.forbid(session, address), "not allowed any more", as_json=as_json)
    return Exit.DONE


def _tell(site: "AllowedSite", said: str, *, as_json: bool) -> None:
    from bascule.accounts.allowed_sites.api import AllowedAnswer

    if as_json:
        document(AllowedAnswer.model_validate(site).model_dump(mode="json"))
    else:
        out.print(f"{escape(site.place)}: {said}")

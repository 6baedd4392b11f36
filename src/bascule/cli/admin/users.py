"""`users`: who has an account, and what admins do about it, also where nobody can sign in."""

from typing import TYPE_CHECKING, Annotated

import typer

from bascule.cli.exit_codes import Exit, Refused, verb
from bascule.cli.identity import acting_hub
from bascule.cli.prompts import confirm
from bascule.cli.terminal import AsJson, ago, document, err, escape, out, show, table

if TYPE_CHECKING:
    from bascule.accounts.schemas import Invitation
    from bascule.accounts.tables import User
    from bascule.settings import Settings

app = typer.Typer(help="People: list, invite, give roles, switch off and on, reset a password.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="A username or an e-mail address.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@app.callback(invoke_without_command=True)
@verb("people.manage", group="users")
async def list_users(context: typer.Context, as_json: AsJson = False) -> int:
    """People. Without a command: everybody, their role, and when they were here last."""
    if context.invoked_subcommand is not None:
        return Exit.DONE
    from bascule.accounts.people.users import list_people
    from bascule.accounts.schemas import Person
    from bascule.accounts.sign_in.methods import ways_of

    async with acting_hub() as (hub, _), hub.db.session() as session:
        found = await list_people(session)
        people, ways = [Person.of(user) for user in found], await ways_of(session, found)
    if as_json:
        document({"users": [person.model_dump(mode="json") for person in people]})
        return Exit.DONE
    made = table("Name", "E-mail", "Role", "State", "Signs in with", "Signed in")
    for person in people:
        theirs = ways[person.id]
        state = "active" if set(theirs) - {"app"} else "no password yet"
        made.add_row(
            escape(person.username),
            escape(person.email or ""),
            person.role,
            state if person.active else "deactivated",
            ", ".join(theirs),
            ago(person.last_sign_in_at),
        )
    show(made)
    return Exit.DONE


@app.command()
@verb("machine", group="users")
async def invite(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What they sign in with.")],
    email: Annotated[str | None, typer.Option(help="They may sign in with it as well.")] = None,
    role: Annotated[str, typer.Option(help="viewer, editor, accountant or admin.")] = "viewer",
    as_json: AsJson = False,
) -> int:
    """Make an account, and print the one-time link that lets them choose a password.

    The hub sends no mail: hand the link over yourself. It works once, for 7 days.
    """
    from bascule.accounts.people import users

    async with acting_hub(of=name) as (hub, _), hub.db.session() as session:
        user, token = await users.invite(session, name, email=email, role=role)
        invited = _invitation(hub.settings, user, token)
    _tell(invited, as_json=as_json)
    return Exit.DONE


@app.command()
@verb("machine", group="users")
async def role(
    name: Name,
    role: Annotated[
        str, typer.Argument(metavar="ROLE", help="viewer, editor, accountant or admin.")
    ],
    as_json: AsJson = False,
) -> int:
    """Give somebody another role; it holds at once, also where they are signed in."""
    return await _change(name, {"role": role}, as_json=as_json)


@app.command()
@verb("people.manage", group="users")
async def deactivate(name: Name, yes: Yes = False, as_json: AsJson = False) -> int:
    """Switch an account off: its sessions and access tokens end, its API tokens open nothing."""
    confirm(f"Deactivate {name} and end their sessions", yes=yes)
    return await _change(name, {"active": False}, as_json=as_json)


@app.command()
@verb("machine", group="users")
async def activate(name: Name, as_json: AsJson = False) -> int:
    """Switch an account on again; they sign in with the password that they had."""
    return await _change(name, {"active": True}, as_json=as_json)


@app.command()
@verb("people.manage", group="users")
async def left(
    name: Name,
    hand_over_to: Annotated[
        str | None, typer.Option(help="Give all of them to this editor or admin.")
    ] = None,
    delete: Annotated[
        bool, typer.Option("--delete", help="Delete all of them, with their mirrors.")
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> int:
    """List the private connections of somebody who was deactivated; hand them over or delete them.

    They are at rest: nothing is asked of their sites. What is in them is not shown.
    """
    from bascule.connections.left_behind.api import DeletedConnections, LeftConnections
    from bascule.connections.left_behind.handover import delete_left, hand_over, left_by
    from bascule.job_modules import JOB_MODULES
    from bascule.jobs import load

    load(JOB_MODULES)  # with them come the connector types, which a deletion asks
    if hand_over_to and delete:
        raise Refused("Handed over or deleted: both is not possible.", next_step="Choose one.")
    async with acting_hub(of=name) as (hub, _):
        if delete:
            confirm(f"Delete the private connections of {name}, with their mirrors", yes=yes)
            gone = DeletedConnections(deleted=len((await delete_left(hub, name))[1]))
            if as_json:
                document(gone.model_dump(mode="json"))
            else:
                out.print(f"{gone.deleted} deleted")
            return Exit.DONE
        async with hub.db.session() as session:
            if hand_over_to:
                found = (await hand_over(session, name, hand_over_to))[2]
            else:
                found = (await left_by(session, name))[1]
            told = LeftConnections.of(found)
    if as_json:
        document(told.model_dump(mode="json"))
        return Exit.DONE
    for each in told.connections:
        out.print(f"{escape(each.name)}  {escape(each.api_url)}")
    out.print(f"{len(told.connections)} {'handed over' if hand_over_to else 'at rest'}")
    return Exit.DONE


@app.command()
@verb("machine", group="users")
async def reset(name: Name, yes: Yes = False, as_json: AsJson = False) -> int:
    """End somebody's password, sessions and API tokens; print a one-time link to choose another.

    This is also how the owner of this machine gets in again.
    """
    from bascule.accounts.people import users

    confirm(f"End the password, the sessions and the API tokens of {name}", yes=yes)
    async with acting_hub(of=name) as (hub, _), hub.db.session() as session:
        user, token = await users.reset(session, name)
        invited = _invitation(hub.settings, user, token)
    _tell(invited, as_json=as_json)
    return Exit.DONE


@app.command("second-factor")
@verb("machine", group="users")
async def factor(
    name: Name,
    off: Annotated[
        bool, typer.Option("--off", help="Take both away: their password alone lets them in.")
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> int:
    """Tell whether somebody has an authenticator app or passkeys; end both for who lost them."""
    from bascule.accounts.passkeys.registration import passkeys_of, remove_all
    from bascule.accounts.people.users import find_person
    from bascule.accounts.sign_in import second_factor

    if off:
        confirm(f"End the authenticator app and the passkeys of {name}", yes=yes)
    async with acting_hub(of=name) as (hub, _), hub.db.session() as session:
        user = await find_person(session, name)
        passkeys = await passkeys_of(session, user)
        on = await second_factor.factor_of(session, user) is not None
        if off and passkeys:
            await remove_all(session, user)
        if off and (on or not passkeys):
            await second_factor.turn_off(session, user)
        on, keys = on and not off, 0 if off else len(passkeys)
        username = user.username
    if as_json:
        document({"username": username, "second_factor": on, "passkeys": keys})
    else:
        app = "an authenticator app" if on else "no authenticator app"
        out.print(f"{escape(username)} has {app} and {keys or 'no'} passkeys")
    return Exit.DONE


def hub_address(settings: "Settings", hub_url: str = "") -> str:
    """Where a browser opens the hub: at the address that people use, or else at the hub's own,
    which another process may have been told to listen on (`hub_url`).
    """
    if settings.public_url:
        return settings.public_url.rstrip("/")
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    url = hub_url or f"http://{host}:{settings.port}"
    for everywhere in ("0.0.0.0", "[::]"):  # noqa: S104 - listened on, but nowhere to go to
        url = url.replace(f"//{everywhere}:", "//localhost:")
    return url


def link_to(settings: "Settings", token: str, hub_url: str = "") -> str:
    """The one-time link of this token; see `hub_address`."""
    return f"{hub_address(settings, hub_url)}/welcome/{token}"


def _invitation(settings: "Settings", user: "User", token: str) -> "Invitation":
    from datetime import UTC, datetime

    from bascule.accounts.schemas import Invitation, Person
    from bascule.accounts.sign_in.password_sign_in import LINK_LASTS

    return Invitation(
        user=Person.of(user),
        link=link_to(settings, token),
        expires_at=datetime.now(UTC) + LINK_LASTS,
    )


def _tell(invited: "Invitation", *, as_json: bool) -> None:
    """The link is alone on stdout, so that a script can pass it on."""
    if as_json:
        document(invited.model_dump(mode="json"))
        return
    person = invited.user
    err.print(f"{escape(person.username)} ({person.role}) chooses a password here, once:")
    print(invited.link)
    err.print("It works for 7 days and is not shown again.", style="dim")


async def _change(name: str, changes: dict[str, object], *, as_json: bool) -> int:
    from bascule.accounts.people.users import change_person
    from bascule.accounts.schemas import Person

    async with acting_hub(of=name) as (hub, _), hub.db.session() as session:
        person = Person.of(await change_person(session, name, changes))
    if as_json:
        document(person.model_dump(mode="json"))
    else:
        state = "active" if person.active else "deactivated"
        out.print(f"{escape(person.username)}: {person.role}, {state}")
    return Exit.DONE

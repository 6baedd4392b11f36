"""Whom a verb acts for: the machine's owner, who may do everything, or with BASCULE_TOKEN the user
whose token that is, with that user's role and connections.
"""

import getpass
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from bascule.cli.exit_codes import Refused

if TYPE_CHECKING:
    from bascule.accounts.tables import User
    from bascule.connections.tables import Connection
    from bascule.hub import Hub
    from bascule.settings import Settings

log = logging.getLogger(__name__)
# The name of a permission; or machine: for its owner alone, with no token; or anybody: nothing of
# the hub is touched.
Needed = str
_said: ContextVar[tuple[str, Needed]] = ContextVar("said")  # the verb that runs, and what it needs
_row: ContextVar[int] = ContextVar("row")  # its own in the journal


def begin(verb: str, needed: Needed) -> None:
    """Refused where a token is set for a verb that no user may say."""
    _said.set((verb, needed))
    if needed != "machine":
        return
    from bascule.settings import get_settings

    if get_settings().token is not None:
        raise Refused(
            f"'bascule {verb}' is for the owner of this machine, and BASCULE_TOKEN says who else "
            "you are.",
            next_step=f"Run it without: env -u BASCULE_TOKEN bascule {verb}",
        )


@asynccontextmanager
async def acting_hub(
    settings: "Settings | None" = None, *, of: str = ""
) -> "AsyncIterator[tuple[Hub, User | None]]":
    """The hub, and the user for whom the verb acts; None: the machine. Unauthenticated, Forbidden.

    What changes something is noted in the journal as it begins, and how it ended with the values
    that it changed; `of`: whom or what it is done to, besides a connection, see `acted_on`.
    """
    from bascule.accounts.permissions import named
    from bascule.audit.changes import recording_changes
    from bascule.audit.entries import record
    from bascule.hub import open_hub
    from bascule.permissions import load

    verb, needed = _said.get()
    load()
    async with open_hub(settings) as hub:
        user = await _user(hub, needed)
        if needed not in ("machine", "anybody") and named(needed).scope == "read":
            yield hub, user
            return
        async with hub.db.session() as session:
            row = await record(
                session,
                action=f"cli.{verb.replace(' ', '.')}",
                user=user,
                via="cli",
                object=of,
                address=_login(),
            )
        _row.set(row)
        with recording_changes() as changes:
            outcome = "refused"
            try:
                yield hub, user
                outcome = "done"
            finally:
                await _end(hub, row, {"outcome": outcome, "changed": changes or None})


async def _end(hub: "Hub", row: int, detail: dict[str, Any]) -> None:
    from bascule.audit.entries import UNWRITTEN, tell_more

    try:
        async with hub.db.session() as session:
            await tell_more(session, row, detail=detail)
    except UNWRITTEN as error:
        log.error("The journal does not say how it ended: %s", type(error).__name__)  # noqa: TRY400


async def acted_on(hub: "Hub", connection: "Connection") -> None:
    """The journal's row of this verb is about this connection too."""
    from bascule.audit.entries import tell_more

    if row := _row.get(0):
        async with hub.db.session() as session:
            await tell_more(session, row, connection)


def _login() -> str:
    """Whose shell it is, as far as the machine tells."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in a container
        return f"uid {os.getuid()}"


async def _user(hub: "Hub", needed: Needed) -> "User | None":
    from bascule.accounts.access import hold_to_scope, refuse_without
    from bascule.accounts.permissions import named
    from bascule.accounts.tokens import opened_by
    from bascule.errors import Unauthenticated

    if hub.settings.token is None:
        return None
    async with hub.db.session() as session:
        found = await opened_by(session, hub.settings.token.get_secret_value())
        session.expunge_all()
    if found is None:
        raise Unauthenticated(
            "BASCULE_TOKEN opens nothing here: it is unknown, expired or was revoked.",
            next_step="Make another one on the page My settings, or unset it to act for the owner "
            "of this machine.",
        )
    user, scope = found
    if needed not in ("machine", "anybody"):
        refuse_without(named(needed), user)
        if named(needed).scope != "read":
            hold_to_scope(user, scope)
            refuse_without(named(needed), user)
    return user

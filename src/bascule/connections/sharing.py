"""Who may see a connection, and who may do what to it.

A private connection exists for its owner alone; everybody else, admins included, gets a 404. None
as the viewer is the machine (its command line and jobs), which may do everything.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, or_, true

from bascule.accounts.access import refuse_without
from bascule.accounts.permissions import Permission
from bascule.accounts.tables import User
from bascule.connections.permissions import CONNECTIONS_EDIT, CONNECTIONS_MANAGE
from bascule.connections.tables import Connection
from bascule.errors import Forbidden, Invalid

# A change of one of these means that another site, or another user there, is spoken to.
WAY_IN = {"api_url", "api_key", "api_secret", "allow_http", "ca_bundle"}


def seen_by(viewer: User | None) -> ColumnElement[bool]:
    """For a query of connections: those that this viewer may see."""
    if viewer is None:
        return true()
    return or_(Connection.shared, Connection.owner_id == viewer.id)


def shared_unless_said(maker: User | None, wanted: bool | None) -> bool:
    """Whether a new connection is shared. Editors make private ones only; nobody a private one
    without being somebody.
    """
    if maker is None:
        if wanted is False:
            owner_of_private(maker)
        return True
    refuse_without(CONNECTIONS_EDIT, maker)
    if wanted and not maker.may(CONNECTIONS_MANAGE):
        raise Forbidden(
            "Only an admin may connect a site for everybody.",
            next_step="Leave 'shared' out to connect it for yourself, or ask an admin.",
        )
    return maker.may(CONNECTIONS_MANAGE) if wanted is None else wanted


def owner_of_private(maker: User | None) -> int:
    """Whose a connection is that this person keeps private, or makes so."""
    if maker is None:
        raise Invalid(
            "A private connection needs somebody whose it is, and the machine is nobody.",
            next_step="Set BASCULE_TOKEN to a token of its owner, or leave it shared.",
            fields={"shared": "the machine's own connections are shared"},
        )
    return maker.id


def refuse_change(by: User | None, connection: Connection, changes: Mapping[str, Any]) -> None:
    """Editors change a shared connection but for its way in and whom it is for; owners all."""
    if by is None:
        return
    refuse_without(CONNECTIONS_EDIT, by)
    if by.may(CONNECTIONS_MANAGE):
        return
    if connection.shared and (named := sorted((WAY_IN | {"shared"}) & changes.keys())):
        raise Forbidden(
            f"Only an admin may change {', '.join(named)} of a connection that all share.",
            next_step="Ask an admin to do it, or change only the rest.",
        )
    if changes.get("shared"):
        raise Forbidden(
            "Only an admin may share a connection with everybody.",
            next_step="Ask an admin to connect the site for everybody.",
        )


def refuse_delete(by: User | None, connection: Connection) -> None:
    if by is None:
        return
    refuse_without(who_decides(connection), by)


def refuse_way_in(by: User | None, connection: Connection) -> None:
    """Where a site's webhooks go and what they are signed with is the way back in: it is for those
    to say who may change the way there.
    """
    if by is not None:
        refuse_without(who_decides(connection), by)


def may_delete(by: User, connection: Connection) -> bool:
    return by.may(who_decides(connection))


def who_decides(connection: Connection) -> Permission:
    """Who may delete it or change its way in, of those who may know of it."""
    return CONNECTIONS_MANAGE if connection.shared else CONNECTIONS_EDIT

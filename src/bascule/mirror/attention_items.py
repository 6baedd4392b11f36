"""What the mirror's own attention comes to on the first page: with the button that mends it."""

from urllib.parse import urlsplit

from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.tables import User
from bascule.attention.items import Action, AttentionItem, finds_attention_items
from bascule.connections.permissions import CONNECTIONS_EDIT
from bascule.connections.sharing import who_decides
from bascule.connections.tables import Connection
from bascule.hub import Hub
from bascule.mirror.permissions import SYNC_RUN
from bascule.mirror.schemas import Attention
from bascule.mirror.status.overview import statuses_of
from bascule.mirror.status.roster import troubled


@finds_attention_items
async def attention_items(
    hub: Hub, session: AsyncSession, viewer: User | None
) -> list[AttentionItem]:
    connections, at = await troubled(session, viewer)
    return [
        AttentionItem(
            kind=one.kind,
            name=connection.name,
            what=one.what,
            next_step=one.next_step,
            page=f"/connectors/{connection.slug}",
            mend=_mend(connection, one),
            command=_COMMANDS[one.mend].format(connection.slug),
            cause=_cause(connection, one),
        )
        for connection, status in zip(
            connections, await statuses_of(session, connections, at), strict=True
        )
        for one in status.attention
    ]


def _cause(connection: Connection, one: Attention) -> str:
    """Connections have it in common: a server that is down, words of a site, a clock that stands.
    What differs is of each by itself.
    """
    match one.kind:
        case "down":
            return urlsplit(connection.api_url).netloc
        case "refused":
            return f"{connection.api_url}: {one.what}"
        case "failed":
            return one.what
        case "late":
            return one.kind
    return ""


_COMMANDS = {
    "credentials": "bascule change {} --credentials",
    "test": "bascule sync {}",
    "rights": "bascule sync {}",
    "repair": "bascule verify {} --repair",
    "sync": "bascule sync {}",
}


def _mend(connection: Connection, one: Attention) -> Action:
    at = f"/connectors/{connection.slug}"
    match one.mend:
        case "credentials":
            needed = who_decides(connection)
            return Action("Mend the credentials", f"{at}/settings", icon="key", permission=needed)
        case "test":
            return Action(
                "Try now", f"{at}/test", post=True, icon="refresh", permission=CONNECTIONS_EDIT
            )
        case "rights":
            return Action("Try again", f"{at}/sync", post=True, icon="refresh", permission=SYNC_RUN)
        case "repair":
            values = {"repair": "on"}
            return Action(
                "Repair",
                f"{at}/verify",
                post=True,
                values=values,
                icon="shield-check",
                permission=SYNC_RUN,
            )
        case "sync":
            return Action("Sync now", f"{at}/sync", post=True, icon="refresh", permission=SYNC_RUN)

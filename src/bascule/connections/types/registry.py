"""The services that can be connected. Each connector type is registered once, beside its room.

The grid, the form, its test and the deletion are derived from what is registered.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from bascule.connections.check_report import CheckReport
from bascule.connections.deletion.leaving import OnSite, RemovalAttempt
from bascule.connections.tables import Connection
from bascule.connections.types.fields import FormField
from bascule.errors import NoSuch
from bascule.hub import Hub
from bascule.settings import Settings

# In the order of the chips over the grid.
CATEGORIES = {
    "erp": "ERP",
    "finance": "Finance",
    "construction": "Construction",
    "logistics": "Logistics",
    "data": "Databases",
    "files": "Files",
}
# In the order of the form.
GROUPS = ("Site", "Sign-in", "What to mirror", "When", "Advanced")


class Behaviour(ABC):
    """What is done with the connections of one type."""

    @abstractmethod
    def wrong(self, values: Mapping[str, Any], settings: Settings) -> dict[str, str]:
        """Each value of the form that cannot be taken, and why, in words that follow its label.
        What is missing is judged by the form.
        """

    @abstractmethod
    async def check(self, hub: Hub, connection: Connection) -> CheckReport:
        """Asks the service of a saved connection, and saves what it answered. A service that
        refuses or is down is a report, not an error.
        """

    async def set_aside(
        self, hub: Hub, session: AsyncSession, connection: Connection, on_site: Sequence[OnSite]
    ) -> int:
        """Keeps what is needed to remove `on_site` later, within the transaction of the deletion.
        The number is passed to `remove`. Only called where something was registered as made there.
        """
        raise NotImplementedError(f"Connections of type {connection.kind} leave nothing to remove.")

    async def remove(self, hub: Hub, number: int) -> RemovalAttempt:
        """Tries at once to remove what `set_aside` kept, after the deletion was committed."""
        raise NotImplementedError(f"Nothing was set aside as {number}.")

    async def forget(  # noqa: B027 - most types hold nothing open
        self, hub: Hub, connection_id: UUID
    ) -> None:
        """Releases what this process has open for a connection that is gone."""


@dataclass(frozen=True, kw_only=True)
class ConnectorType:
    """A service that can be connected, or one that is to come (without `behaviour`)."""

    id: str
    label: str
    description: str
    icon: str  # an emoji, for programs; pages show a picture of the category
    category: str
    words: Sequence[str] = ()  # other words that people search it by
    coming: str | None = None  # when, for one that is not there yet
    fields: Sequence[FormField] = ()
    steps: Sequence[str] = ()  # where to find what the form asks for
    behaviour: Behaviour | None = None

    @property
    def available(self) -> bool:
        return self.behaviour is not None


_registered: dict[str, ConnectorType] = {}


def register_connector(kind: ConnectorType) -> ConnectorType:
    """Once for each id; a type that is to come is replaced by the one that has come. ValueError:
    the id is taken, or the category is unknown.
    """
    there = _registered.get(kind.id)
    if there is not None and (there.available or not kind.available):
        raise ValueError(f"The connector type {kind.id} is registered already.")
    if kind.category not in CATEGORIES:
        raise ValueError(f"There is no category {kind.category} of connector types.")
    _registered[kind.id] = kind
    return kind


def registered_types() -> list[ConnectorType]:
    """Those that can be connected, then those to come; each in the order of registration."""
    return sorted(_registered.values(), key=lambda kind: not kind.available)


def type_named(name: str) -> ConnectorType:
    """NoSuch, also for one that is to come."""
    kind = _registered.get(name)
    if kind is None or not kind.available:
        raise NoSuch(
            f"There is no connector type {name[:40]!r} yet.",
            next_step="GET /api/connectors/types, or the page Connectors, lists those there are.",
        )
    return kind


def behaviour_of(name: str) -> Behaviour:
    """Of the connections of this type; NoSuch where nothing that runs here knows the type."""
    behaviour = type_named(name).behaviour
    if behaviour is None:
        raise NoSuch(f"The connector type {name} is to come.", next_step="Wait for its release.")
    return behaviour


def find_types(words: str = "", category: str = "") -> list[ConnectorType]:
    """Those in which every word is found, whatever its case; of one category, if it is named."""
    wanted = words.casefold().split()

    def matches(kind: ConnectorType) -> bool:
        said = [kind.label, kind.description, CATEGORIES[kind.category], *kind.words]
        text = " ".join(said).casefold()
        return category in ("", kind.category) and all(word in text for word in wanted)

    return [kind for kind in registered_types() if matches(kind)]

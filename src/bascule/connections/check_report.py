"""What a service said when it was asked, and how that is kept."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from bascule.connections import circuit
from bascule.connections.tables import Connection
from bascule.events.live import publish


@dataclass(frozen=True)
class Problem:
    """`doctype`: the one that it is about, and `roles` that would help, where these are known.
    `lacks_rights`: the user may not read it, and that is all.
    """

    what: str
    next_step: str
    doctype: str | None = None
    roles: tuple[str, ...] = ()
    lacks_rights: bool = False


@dataclass
class CheckReport:
    """`health`: ok (signed in), refused (credentials), down (no answer a site would give).
    `missing`: wanted DocTypes that cannot be read. `notes` limit nothing that was wanted.
    """

    health: str = "ok"
    user: str | None = None
    versions: dict[str, str] = field(default_factory=dict)
    time_zone: str | None = None
    readable: dict[str, bool] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return self.health == "ok" and not self.problems


async def record_check(
    session: AsyncSession, connection: Connection, report: CheckReport
) -> Connection:
    """Keeps what the site said. What it could not be asked this time stays as it was known."""
    kept = await session.merge(connection)
    changed = kept.health != report.health
    kept.health = report.health
    kept.health_detail = report.problems[0].what if report.problems else None
    kept.checked_at = datetime.now(UTC)
    kept.site_user = report.user or kept.site_user
    kept.time_zone = report.time_zone or kept.time_zone
    kept.versions = dict(report.versions) or kept.versions
    await session.flush()
    if report.health == "ok":  # whoever waits for the site need wait no longer
        await circuit.succeeded(session, kept.id)
    if changed:
        await publish(session, "connection", connection_id=kept.id, health=kept.health)
    return kept

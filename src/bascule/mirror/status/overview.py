"""How each connection stands: one question, for the API's status, the command line and pages."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.connections.tables import Circuit, Connection
from bascule.jobs.queue_status import worker_seen
from bascule.mirror.attention import attention_of, standing_of
from bascule.mirror.proof.findings import least_of
from bascule.mirror.proof.labels import proof_text
from bascule.mirror.schemas import ConnectorStatus, RunAnswer
from bascule.mirror.tables import Run, Stream
from bascule.store.database import driver_connection


@dataclass(frozen=True, slots=True)
class SharedState:
    """What is known of some connections beside themselves: their circuits, what is under way."""

    circuits: dict[UUID, Circuit]
    syncing: set[UUID]
    worker: bool


async def shared_state(session: AsyncSession, ids: Sequence[UUID]) -> SharedState:
    under_way = select(Run.connection_id).where(
        Run.connection_id.in_(ids),
        Run.outcome.in_(("queued", "running")),
        Run.kind.in_(("sync", "full")),
    )
    syncing = set((await session.scalars(under_way.distinct())).all())
    circuits = await session.scalars(select(Circuit).where(Circuit.connection_id.in_(ids)))
    _, worker = await worker_seen(await driver_connection(session))
    return SharedState({one.connection_id: one for one in circuits}, syncing, worker)


def state_of(
    connection: Connection, at: SharedState, *, failed: bool, differs: bool, pulled: bool
) -> str:
    """One of `states.STATES`. `failed`: a stream's last run did, for a cause of its own; `differs`:
    a proof found one to; `pulled`: something came.
    """
    if connection.id in at.syncing:
        return "syncing" if at.worker else "queued"
    site = standing_of(connection, at.circuits.get(connection.id))
    if site in ("refused", "down"):
        return site
    if failed:
        return "failed"
    if differs:
        return "differs"
    return "ok" if pulled else "waiting"


async def statuses_of(
    session: AsyncSession, connections: Sequence[Connection], at: SharedState | None = None
) -> list[ConnectorStatus]:
    """In the same order. `at`: what is `shared_state` them, where it is known already."""
    ids = [connection.id for connection in connections]
    streams: dict[UUID, list[Stream]] = defaultdict(list)
    query = select(Stream).where(Stream.connection_id.in_(ids)).order_by(Stream.doctype)
    for stream in await session.scalars(query):
        streams[stream.connection_id].append(stream)
    at = at or await shared_state(session, ids)
    return [_status(connection, streams[connection.id], at) for connection in connections]


def _status(connection: Connection, streams: list[Stream], at: SharedState) -> ConnectorStatus:
    pulled = [s.last_success_at for s in streams if s.last_success_at is not None]
    enabled = [s for s in streams if s.enabled]
    failed = [s for s in enabled if s.last_error is not None]
    of_their_own = [s for s in failed if s.trouble.get("kind") != "site"]
    shut = at.circuits.get(connection.id)
    compared = [s for s in enabled if s.verified_equal is not None]
    proofs = [s.last_verified_at for s in compared if s.last_verified_at is not None]
    looks = [s.compared_at for s in enabled if s.compared_at is not None]
    equal = all(s.verified_equal for s in compared) if compared else None
    proven, here = sum(s.proven or 0 for s in enabled), sum(s.rows for s in enabled)
    status = state_of(
        connection, at, failed=bool(of_their_own), differs=equal is False, pulled=bool(pulled)
    )
    return ConnectorStatus(
        connector_id=connection.id,
        slug=connection.slug,
        name=connection.name,
        group=connection.group,
        type=connection.kind,
        status=status,
        last_sync_at=max(pulled, default=None),
        next_sync_at=connection.next_sync_at,
        paused_until=shut.open_until if shut else None,
        schedule=connection.schedule,
        records=sum(s.rows for s in streams),
        record_counts={s.doctype: s.rows for s in streams},
        health=connection.health,
        health_detail=connection.health_detail,
        verified_at=min(proofs, default=None),
        verified_equal=equal,
        proof=proof_text(equal, proven, here, min(proofs, default=None)),
        compared_at=min(looks, default=None),
        compared_by=least_of([s.compared_by for s in enabled if s.compared_by]),
        attention=list(attention_of(connection, enabled, shut=shut, worker=at.worker)),
        problems=[
            {
                "stream": s.doctype,
                "what": s.last_error or "",
                "next_step": s.last_error_step or "",
            }
            for s in failed
        ],
    )


async def with_doctypes(session: AsyncSession, runs: list[Run]) -> list[RunAnswer]:
    """Runs together with the DocTypes that they were about."""
    ids = {run.stream_id for run in runs}
    found = await session.execute(select(Stream.id, Stream.doctype).where(Stream.id.in_(ids)))
    doctypes = dict(found.all())
    answers = [RunAnswer.model_validate(run) for run in runs]
    return [a.model_copy(update={"doctype": doctypes.get(a.stream_id)}) for a in answers]

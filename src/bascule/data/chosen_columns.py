"""The columns and the order in which somebody likes to see a view or a table, of any connection."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.tables import User
from bascule.mirror.tables import ChosenColumns


@dataclass(frozen=True, slots=True)
class ChosenView:
    """`columns`: none, for the usual ones. `sort`: as the API takes it; empty, for the usual."""

    columns: tuple[str, ...] = ()
    sort: str = ""


async def chosen_by(
    session: AsyncSession, user: User, relation: str, there: Iterable[str]
) -> ChosenView:
    """Of what this person chose, what is `there`: another site may lack a column."""
    kept = await session.get(ChosenColumns, (user.id, relation))
    if kept is None:
        return ChosenView()
    columns = set(there)
    return ChosenView(
        tuple(name for name in kept.columns if name in columns),
        kept.sort if kept.sort.removeprefix("-") in columns else "",
    )


async def choose(
    session: AsyncSession,
    user: User,
    relation: str,
    *,
    columns: Iterable[str] | None = None,
    sort: str | None = None,
) -> None:
    """What is None stays as it was."""
    said = {"columns": None if columns is None else list(columns), "sort": sort}
    said = {name: value for name, value in said.items() if value is not None}
    statement = insert(ChosenColumns).values(user_id=user.id, relation=relation, **said)
    await session.execute(
        statement.on_conflict_do_update(index_elements=["user_id", "relation"], set_=said)
    )


async def forget(session: AsyncSession, user: User, relation: str) -> None:
    """The usual columns in the usual order."""
    await session.execute(
        delete(ChosenColumns).where(
            ChosenColumns.user_id == user.id, ChosenColumns.relation == relation
        )
    )

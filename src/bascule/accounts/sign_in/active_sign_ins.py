"""Where somebody is signed in, browsers and programs alike; and the end of one of them."""

from uuid import UUID

from fastapi import Request
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.schemas import SessionAnswer
from bascule.accounts.sessions import end_one_session, mark_of, sessions_of
from bascule.accounts.sign_in.bearer_tokens import end_family, families_of
from bascule.accounts.tables import User
from bascule.errors import NoSuch
from bascule.events.live import publish
from bascule.hub import Hub


async def signed_in_with(
    request: Request, session: AsyncSession, user: User
) -> list[SessionAnswer]:
    """The one seen last first; `this`: the one that asks."""
    browser = getattr(request.state, "session", None)
    program = getattr(request.state, "family", None)
    found = [
        SessionAnswer(
            id=mark_of(each),
            kind="browser",
            agent=each.agent,
            address=each.address,
            created_at=each.created_at,
            last_seen_at=each.last_seen_at,
            expires_at=each.expires_at,
            this=browser is not None and browser.id_hash == each.id_hash,
        )
        for each in await sessions_of(session, user)
    ]
    found += [
        SessionAnswer(
            id=family.id.hex,
            kind="program",
            agent=family.agent,
            address=family.address,
            created_at=family.began_at,
            last_seen_at=last.created_at,
            expires_at=last.expires_at,
            this=program is not None and program.id == family.id,
        )
        for family, last in await families_of(session, user)
    ]
    return sorted(found, key=lambda each: each.last_seen_at, reverse=True)


async def end_sign_in(hub: Hub, user: User, number: str) -> None:
    """Ends the browser's session, or the program's tokens, that this names. NoSuch."""
    async with hub.db.session() as session:
        if len(number) == 16:
            ended = await end_one_session(session, user, number)
        else:
            theirs = [family.id for family, _ in await families_of(session, user)]
            ended = UUID(number) in theirs
            if ended:
                await end_family(session, UUID(number))
                await publish(session, "user", user_id=user.id, change="sessions")
    if not ended:
        raise NoSuch(
            "You are not signed in there: it has ended, or never was.",
            next_step="GET /api/auth/sessions lists where you are signed in.",
        )

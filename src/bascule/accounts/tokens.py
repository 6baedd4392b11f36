"""Tokens for machines: made, shown once, kept as a SHA-256 hash; and the first admin.

A token carries 256 random bits, so a plain hash is enough: there is nothing to guess offline.
"""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, exists, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.permissions import SCOPES, Scope, permissions_of
from bascule.accounts.tables import ApiToken, User
from bascule.errors import Invalid, NoSuch
from bascule.events.live import publish

PREFIX = "bsc_"  # lets secret scanners, and people, see what a leaked string is
LASTS = timedelta(days=90)
LONGEST = timedelta(days=366)
SOON = timedelta(days=7)


def hash_of(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


async def ensure_admin(session: AsyncSession) -> User:
    """The first admin, made where there is none; two starts at once make one and both find it."""
    none_yet = ~exists().where(User.role == "admin")
    made = select(text("'admin'"), text("'admin'")).where(none_yet)
    await session.execute(
        insert(User).from_select(["username", "role"], made).on_conflict_do_nothing()
    )
    admins = select(User).where(User.role == "admin").order_by(User.active.desc(), User.id)
    return (await session.scalars(admins)).first() or await _admin_by_name(session)


async def _admin_by_name(session: AsyncSession) -> User:
    # Someone who is no admin is called "admin": that name must not lock everybody out of the hub.
    user = (await session.scalars(select(User).where(User.username == "admin"))).one()
    user.role = "admin"
    return user


async def issue_token(
    session: AsyncSession,
    name: str,
    user: User | None = None,
    *,
    scope: str | None = None,
    expires_at: datetime | None = None,
) -> str:
    """A new token of that user (default: the first admin). It is returned here and never again.

    `scope`: by default the widest that their role has. `expires_at`: by default in 90 days.
    Invalid: the scope is wider than their role, or the end is past or more than a year away.
    """
    owner = user or await ensure_admin(session)
    scope = scope or widest_scope(owner)
    expires_at = expires_at or datetime.now(UTC) + LASTS
    _check(owner, scope, expires_at)
    token = PREFIX + secrets.token_urlsafe(32)
    session.add(
        ApiToken(
            user_id=owner.id,
            name=name,
            token_hash=hash_of(token),
            scope=scope,
            expires_at=expires_at,
        )
    )
    await session.flush()
    await publish(session, "user", user_id=owner.id, change="tokens")
    return token


def scopes_of(owner: User) -> tuple[str, ...]:
    """What a token of theirs may be given, the least first."""
    return SCOPES[: SCOPES.index(widest_scope(owner)) + 1]


def widest_scope(owner: User) -> Scope:
    """The widest of the scopes that their role's permissions have."""
    having = permissions_of(owner.role, owner.role_permissions)
    return max((each.scope for each in having), key=SCOPES.index)


def _check(owner: User, scope: str, expires_at: datetime) -> None:
    wrong, may = {}, scopes_of(owner)
    if scope not in may:
        wrong["scope"] = f"is none of what the role {owner.role} may give: {', '.join(may)}"
    if expires_at <= datetime.now(UTC):
        wrong["expires_at"] = "is in the past"
    elif expires_at > datetime.now(UTC) + LONGEST:
        wrong["expires_at"] = f"is more than {LONGEST.days} days from now"
    if wrong:
        said = "; ".join(f"{name} {why}" for name, why in wrong.items())
        raise Invalid(
            f"This token cannot be made: {said}.",
            next_step="Give it less, or a time that is nearer; its owner is reminded a week before "
            "it ends.",
            fields=wrong,
        )


async def end_tokens_of(session: AsyncSession, user: User) -> int:
    """Every API token of theirs opens nothing any more; how many that were."""
    ended = delete(ApiToken).where(ApiToken.user_id == user.id).returning(ApiToken.id)
    return len((await session.execute(ended)).all())


async def count_tokens(session: AsyncSession) -> dict[int, int]:
    """How many each user has who has any, by the user's id."""
    query = select(ApiToken.user_id, func.count()).group_by(ApiToken.user_id)
    return dict((await session.execute(query)).all())


async def tokens_of(session: AsyncSession, user: User) -> list[ApiToken]:
    query = select(ApiToken).where(ApiToken.user_id == user.id).order_by(ApiToken.id)
    return list((await session.scalars(query)).all())


async def ending_soon(session: AsyncSession, user: User) -> list[ApiToken]:
    """Those that end within a week or ended in the last one: what uses them stops, or has stopped.
    One that a newer token of the same name has replaced is left out.
    """
    now = datetime.now(UTC)
    tokens = await tokens_of(session, user)
    newest = {token.name: token for token in tokens}
    return [
        token
        for token in newest.values()
        if token.expires_at is not None and now - SOON < token.expires_at < now + SOON
    ]


async def revoke_token(session: AsyncSession, user: User, token_id: int) -> ApiToken:
    """That token of that user opens nothing any more. NoSuch where it is not theirs."""
    query = select(ApiToken).where(ApiToken.id == token_id, ApiToken.user_id == user.id)
    token = await session.scalar(query)
    if token is None:
        raise NoSuch(
            "There is no such token.", next_step="GET /api/auth/tokens lists the ones there are."
        )
    await session.delete(token)
    await publish(session, "user", user_id=user.id, change="tokens")
    return token


async def user_of_token(session: AsyncSession, token: str) -> User | None:
    """Whose token this is, or None; see `opened_by`."""
    found = await opened_by(session, token)
    return found[0] if found else None


async def opened_by(session: AsyncSession, token: str) -> tuple[User, str] | None:
    """Whose token this is, and its scope. None: unknown, expired, or of somebody deactivated.

    `last_used_at` is written at most once a minute, so that reading does not become writing.
    """
    if not token.startswith(PREFIX):
        return None
    minute_ago = func.now() - text("interval '1 minute'")
    stale = or_(ApiToken.last_used_at.is_(None), ApiToken.last_used_at < minute_ago)
    valid = or_(ApiToken.expires_at.is_(None), ApiToken.expires_at > func.now())
    query = (
        select(User, ApiToken.id, ApiToken.scope, stale)
        .join(ApiToken, ApiToken.user_id == User.id)
        .where(ApiToken.token_hash == hash_of(token), User.active, valid)
    )
    found = (await session.execute(query)).first()
    if found is None:
        return None
    user, token_id, scope, is_stale = found
    if is_stale:
        touch = update(ApiToken).where(ApiToken.id == token_id, stale)
        await session.execute(touch.values(last_used_at=func.now()))
    return user, scope

"""Codes of an authenticator app (TOTP), and recovery codes for who lost it.

A code is good for its half minute and the ones beside it, once. The secret is encrypted; recovery
codes are kept as hashes, each with 60 random bits.
"""

import base64
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import pyotp
from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.sign_in.methods import forget_codes_of_nothing
from bascule.accounts.tables import Passkey, RecoveryCode, SecondFactor, User
from bascule.accounts.tokens import hash_of
from bascule.errors import Conflict, Invalid, NoSuch
from bascule.events.live import publish
from bascule.hub import Hub

RECOVERY_CODES = 10
STEP = 30  # seconds


@dataclass(frozen=True, slots=True)
class Begun:
    """What an app wants to know: the secret, and the same as an address for a QR code."""

    secret: str
    uri: str


async def factor_of(session: AsyncSession, user: User) -> SecondFactor | None:
    """Theirs, if it is asked for."""
    found = SecondFactor.user_id == user.id, SecondFactor.confirmed_at.is_not(None)
    return await session.scalar(select(SecondFactor).where(*found))


async def has_factor(session: AsyncSession, user: User) -> bool:
    """Whether they give more than a password: a code of their app, or a passkey."""
    passkeys = select(Passkey.id).where(Passkey.user_id == user.id).limit(1)
    return await factor_of(session, user) is not None or bool(await session.scalar(passkeys))


async def codes_left(session: AsyncSession, user: User) -> int:
    query = select(func.count()).where(RecoveryCode.user_id == user.id)
    return await session.scalar(query) or 0


async def begin(hub: Hub, session: AsyncSession, user: User) -> Begun:
    """A new secret, asked for once a code of it was given. Conflict: there is one already."""
    if await factor_of(session, user) is not None:
        raise Conflict(
            "You have an authenticator app already.",
            next_step="Turn it off first, if it is to be another one.",
        )
    secret = pyotp.random_base32()
    await session.execute(delete(SecondFactor).where(SecondFactor.user_id == user.id))
    await hub.vault.hold(session)
    session.add(SecondFactor(user_id=user.id, secret_encrypted=hub.vault.encrypt(secret)))
    await session.flush()
    return _begun(secret, user)


async def begun(hub: Hub, session: AsyncSession, user: User) -> Begun | None:
    """What was begun and not confirmed."""
    kept = await session.scalar(select(SecondFactor).where(SecondFactor.user_id == user.id))
    if kept is None or kept.confirmed_at is not None:
        return None
    return _begun(hub.vault.decrypt(kept.secret_encrypted), user)


async def turn_on(hub: Hub, session: AsyncSession, user: User, code: str) -> list[str]:
    """From now on a code is asked for at sign-in. The recovery codes, told this once."""
    query = select(SecondFactor).where(SecondFactor.user_id == user.id).with_for_update()
    kept = await session.scalar(query)
    if kept is None or kept.confirmed_at is not None:
        raise Conflict(
            "No authenticator app is being set up.",
            next_step="Begin with POST /api/auth/second-factor, or on the page My settings.",
        )
    step = _step_of(hub, kept, code)
    if step is None:
        raise wrong_code()
    kept.confirmed_at, kept.last_step = datetime.now(UTC), step
    await publish(session, "user", user_id=user.id, change="second factor")
    return await new_recovery_codes(session, user)


async def new_recovery_codes(session: AsyncSession, user: User) -> list[str]:
    """Ten of them; those before them open nothing any more."""
    codes = [_recovery_code() for _ in range(RECOVERY_CODES)]
    await session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
    session.add_all(
        RecoveryCode(code_hash=_hash_of_code(user.id, code), user_id=user.id) for code in codes
    )
    await session.flush()
    return codes


async def turn_off(session: AsyncSession, user: User) -> None:
    """NoSuch: there is none."""
    gone = delete(SecondFactor).where(SecondFactor.user_id == user.id).returning(SecondFactor.id)
    if (await session.execute(gone)).first() is None:
        raise NoSuch(
            f"{user.username} has no authenticator app here.",
            next_step="Nothing is to be done: the password alone lets them in.",
        )
    await forget_codes_of_nothing(session, user)
    await publish(session, "user", user_id=user.id, change="second factor")


async def is_code(hub: Hub, session: AsyncSession, user: User, code: str) -> bool:
    """Whether it is a code of their app, or one of their recovery codes; that uses it up."""
    found = SecondFactor.user_id == user.id, SecondFactor.confirmed_at.is_not(None)
    kept = await session.scalar(select(SecondFactor).where(*found).with_for_update())
    step = None if kept is None else _step_of(hub, kept, code)
    if kept is not None and step is not None:
        kept.last_step = step
        return True
    mark = _hash_of_code(user.id, code)
    used = delete(RecoveryCode).where(RecoveryCode.code_hash == mark)
    return (await session.execute(used.returning(RecoveryCode.code_hash))).first() is not None


def wrong_code() -> Invalid:
    return Invalid(
        "This is not the code that your app shows, nor a recovery code, or it was used already.",
        next_step="Type the one that it shows now, and see that its clock is right.",
        fields={"code": "is not the one that your app shows now"},
    )


def _begun(secret: str, user: User) -> Begun:
    return Begun(
        secret, pyotp.TOTP(secret).provisioning_uri(name=user.username, issuer_name="Bascule")
    )


def _step_of(hub: Hub, kept: SecondFactor, code: str) -> int | None:
    """Which half minute this code is of; None: of none that counts, or of one that was used."""
    typed = "".join(code.split())
    app, now = pyotp.TOTP(hub.vault.decrypt(kept.secret_encrypted)), int(time.time()) // STEP
    for step in (now, now - 1, now + 1):
        used = kept.last_step is not None and step <= kept.last_step
        if not used and app.verify(typed, for_time=step * STEP):
            return step
    return None


def _recovery_code() -> str:
    text = base64.b32encode(secrets.token_bytes(8)).decode().lower()[:12]
    return "-".join(text[at : at + 4] for at in (0, 4, 8))


def _hash_of_code(user_id: int, code: str) -> str:
    plain = "".join(character for character in code.lower() if character.isalnum())
    return hash_of(f"{user_id}:{plain}")

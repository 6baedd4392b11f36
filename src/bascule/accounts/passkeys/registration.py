"""Somebody's passkeys (WebAuthn): keys in a phone, a computer or a security key. Added, named and
removed here; see `authentication` for how one lets its person in.
"""

from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from webauthn import (
    generate_registration_options,
    verify_registration_response,
)
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, options_to_json_dict
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from bascule.accounts.passkeys.relying_party import NotTheirs, Place, answered, read
from bascule.accounts.sessions import end_sessions_by
from bascule.accounts.sign_in.challenges import ask, derived
from bascule.accounts.sign_in.methods import forget_codes_of_nothing
from bascule.accounts.sign_in.second_factor import has_factor, new_recovery_codes
from bascule.accounts.tables import Identity, Passkey, User
from bascule.errors import Conflict, Invalid, NoSuch
from bascule.events.live import publish
from bascule.hub import Hub

ADD = "passkey add"
MOST = 20  # of one person
MILLISECONDS = 300_000  # that a browser waits for its person
LONGEST_NAME = 100


async def passkeys_of(session: AsyncSession, user: User) -> list[Passkey]:
    query = select(Passkey).where(Passkey.user_id == user.id).order_by(Passkey.id)
    return list((await session.scalars(query)).all())


async def begin_to_add(
    session: AsyncSession, user: User, place: Place, *, bound_to: str, network: str
) -> dict[str, Any]:
    """What `navigator.credentials.create` is told. Conflict: there are too many."""
    kept = await passkeys_of(session, user)
    if len(kept) >= MOST:
        raise Conflict(
            f"You have {MOST} passkeys, and that is as many as there can be.",
            next_step="Remove one that you do not use any more.",
        )
    value = await ask(session, ADD, bound_to=bound_to, network=network, user=user)
    options = generate_registration_options(
        rp_id=place.rp_id,
        rp_name="Bascule",
        user_name=user.username,
        user_id=base64url_to_bytes(_handle(kept, bound_to, value)),
        challenge=base64url_to_bytes(value),
        timeout=MILLISECONDS,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.PREFERRED,
            user_verification=UserVerificationRequirement.PREFERRED,
        ),
        exclude_credentials=[descriptor(each) for each in kept],
    )
    return options_to_json_dict(options)


async def add(
    hub: Hub, user: User, place: Place, credential: str, *, name: str, bound_to: str
) -> tuple[Passkey, list[str]]:
    """The new one; and recovery codes, where it is their first factor. NotTheirs; Conflict."""
    said = read(credential)
    value = await answered(hub, ADD, said, bound_to=bound_to, user=user)
    try:
        made = verify_registration_response(
            credential=said,
            expected_challenge=base64url_to_bytes(value),
            expected_rp_id=place.rp_id,
            expected_origin=place.origin,
        )
    except Exception as error:  # its parsers raise what they like
        raise NotTheirs(type(error).__name__) from None
    number = bytes_to_base64url(made.credential_id)
    async with hub.db.session() as session:
        await session.get_one(User, user.id, with_for_update=True)  # one at a time
        kept = await passkeys_of(session, user)
        taken = select(Passkey.id).where(Passkey.credential_id == number)
        if len(kept) >= MOST or await session.scalar(taken) is not None:
            raise Conflict(
                "This passkey is here already.", next_step="Use it, or make one in another device."
            )
        first = not await has_factor(session, user)
        passkey = Passkey(
            user_id=user.id,
            name=named(name, kept),
            credential_id=number,
            public_key=bytes_to_base64url(made.credential_public_key),
            user_handle=_handle(kept, bound_to, value),
            sign_count=made.sign_count,
            transports=_transports(said),
            synced=made.credential_backed_up,
        )
        session.add(passkey)
        await session.flush()
        await session.refresh(passkey)
        await publish(session, "user", user_id=user.id, change="passkeys")
        codes = await new_recovery_codes(session, user) if first else []
        session.expunge(passkey)
    return passkey, codes


async def rename(session: AsyncSession, user: User, number: int, name: str) -> Passkey:
    """NoSuch; Invalid."""
    kept = await _one_of(session, user, number)
    kept.name = named(name, [each for each in await passkeys_of(session, user) if each != kept])
    await session.flush()
    await publish(session, "user", user_id=user.id, change="passkeys")
    return kept


async def remove(session: AsyncSession, user: User, number: int) -> Passkey:
    """What it was. NoSuch; Conflict: nothing else would let them in."""
    kept = await _one_of(session, user, number)
    others = [each for each in await passkeys_of(session, user) if each != kept]
    identity = select(Identity.id).where(Identity.user_id == user.id).limit(1)
    if not others and user.password_hash is None and await session.scalar(identity) is None:
        raise Conflict(
            "This passkey is your only way in.",
            next_step="Add another one first, or ask an admin for a link to choose a password.",
        )
    await session.delete(kept)
    await _removed(session, user)
    return kept


async def remove_all(session: AsyncSession, user: User) -> None:
    """Of somebody who lost them; who came in with one is signed out. NoSuch: there are none."""
    kept = await passkeys_of(session, user)
    if not kept:
        raise NoSuch(f"{user.username} has no passkey here.", next_step="Nothing is to be done.")
    for each in kept:
        await session.delete(each)
    await end_sessions_by(session, user, "passkey")
    await _removed(session, user)


def named(name: str, others: list[Passkey]) -> str:
    """As it may be: with a number where they have another of that name. Invalid."""
    clean = " ".join(name.split())
    if not clean or len(clean) > LONGEST_NAME or not clean.isprintable():
        raise Invalid(
            "A passkey needs a name.",
            next_step="Give it one by which you know its device again, such as 'Phone'.",
            fields={"name": f"has 1 to {LONGEST_NAME} characters on one line"},
        )
    taken = {each.name for each in others}
    numbered = (f"{clean[:95]} {number}" for number in range(2, MOST + 3))
    return clean if clean not in taken else next(one for one in numbered if one not in taken)


def descriptor(passkey: Passkey) -> PublicKeyCredentialDescriptor:
    return PublicKeyCredentialDescriptor(
        id=base64url_to_bytes(passkey.credential_id),
        transports=[AuthenticatorTransport(each) for each in passkey.transports],
    )


async def _removed(session: AsyncSession, user: User) -> None:
    await session.flush()
    await forget_codes_of_nothing(session, user)
    await publish(session, "user", user_id=user.id, change="passkeys")


async def _one_of(session: AsyncSession, user: User, number: int) -> Passkey:
    kept = await session.get(Passkey, number, with_for_update=True)
    if kept is None or kept.user_id != user.id:
        raise NoSuch(
            "You have no such passkey.", next_step="GET /api/auth/passkeys lists those you have."
        )
    return kept


def _handle(kept: list[Passkey], bound_to: str, value: str) -> str:
    """What a device knows its person by: the same in all of theirs, and random."""
    return kept[0].user_handle if kept else derived(bound_to, value, "handle")


def _transports(said: dict[str, Any]) -> list[str]:
    """By which the browser may ask for it again."""
    given = said["response"].get("transports")
    known = [each.value for each in AuthenticatorTransport]
    return [each for each in known if each in given] if isinstance(given, list) else []

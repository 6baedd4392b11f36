"""How a passkey lets its person in. It signs what the hub asked a moment ago, and with it the
address that the browser really is at: who makes a page that looks like the hub's gets nothing.

After a password it is a second factor. By itself it is a whole sign-in, where its device has also
seen that it is its owner (a fingerprint, a PIN): two factors in one.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from webauthn import generate_authentication_options, verify_authentication_response
from webauthn.helpers import base64url_to_bytes, options_to_json_dict
from webauthn.helpers.structs import UserVerificationRequirement

from bascule.accounts.passkeys.registration import MILLISECONDS, descriptor, passkeys_of
from bascule.accounts.passkeys.relying_party import NotTheirs, Place, answered, read
from bascule.accounts.sign_in.challenges import ask
from bascule.accounts.tables import Passkey, User
from bascule.hub import Hub

SIGN_IN, FACTOR, CONFIRM = "passkey", "passkey factor", "passkey confirm"
# Where nothing else tells that it is them, the device has to have looked.
LOOKED = {SIGN_IN: True, FACTOR: False, CONFIRM: True}


async def any_there(session: AsyncSession) -> bool:
    return await session.scalar(select(Passkey.id).limit(1)) is not None


async def begin(
    session: AsyncSession,
    purpose: str,
    place: Place,
    *,
    bound_to: str,
    network: str,
    user: User | None = None,
) -> dict[str, Any]:
    """What `navigator.credentials.get` is told. Without `user` the device tells who it is."""
    value = await ask(session, purpose, bound_to=bound_to, network=network, user=user)
    kept = await passkeys_of(session, user) if user else []
    looked = UserVerificationRequirement.REQUIRED
    options = generate_authentication_options(
        rp_id=place.rp_id,
        challenge=base64url_to_bytes(value),
        timeout=MILLISECONDS,
        allow_credentials=[descriptor(each) for each in kept] or None,
        user_verification=looked if LOOKED[purpose] else UserVerificationRequirement.PREFERRED,
    )
    return options_to_json_dict(options)


async def used(
    hub: Hub,
    purpose: str,
    place: Place,
    credential: str,
    *,
    bound_to: str,
    user: User | None = None,
) -> User:
    """Whose passkey has signed what was asked for this purpose. NotTheirs."""
    said = read(credential)
    value = await answered(hub, purpose, said, bound_to=bound_to, user=user)
    async with hub.db.session() as session:
        query = (
            select(Passkey, User)
            .join(User, User.id == Passkey.user_id)
            .where(Passkey.credential_id == str(said.get("id")), User.active)
            .with_for_update(of=Passkey)
        )
        found = (await session.execute(query)).first()
        if found is None or (user is not None and found[1].id != user.id):
            raise NotTheirs("unknown passkey")
        owner: User = found[1]
        kept: Passkey = found[0]
        handle = said["response"].get("userHandle")
        if handle != kept.user_handle and (handle or user is None):
            raise NotTheirs("another person's handle")
        try:
            made = verify_authentication_response(
                credential=said,
                expected_challenge=base64url_to_bytes(value),
                expected_rp_id=place.rp_id,
                expected_origin=place.origin,
                credential_public_key=base64url_to_bytes(kept.public_key),
                credential_current_sign_count=0,  # looked at below, once who signed it is known
                require_user_verification=LOOKED[purpose],
            )
        except Exception as error:  # its parsers raise what they like
            raise NotTheirs(type(error).__name__) from None
        if made.new_sign_count <= kept.sign_count and (made.new_sign_count or kept.sign_count):
            session.expunge_all()
            raise NotTheirs("its counter went back: there may be a copy of it", user=owner)
        kept.sign_count, kept.last_used_at = made.new_sign_count, datetime.now(UTC)
        kept.synced = made.credential_backed_up
        await session.flush()
        session.expunge(owner)
    return owner

"""People, how they sign in, and the tokens that their machines hold. Secrets are kept as hashes."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from bascule.accounts.permissions import Permission, has_permission, named
from bascule.store.base import Base, encrypted, made_here


class User(Base):
    """Never deleted, only deactivated: what they did, and what is theirs, keeps its name.

    `username` and `email` are lower case. Tokens of an older `version` than this open nothing.
    """

    __tablename__ = "users"
    told = (
        "role",
        "active",
        "email",
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str] = mapped_column(unique=True)
    email: Mapped[str | None] = mapped_column(unique=True)
    role: Mapped[str] = mapped_column(server_default="viewer")
    active: Mapped[bool] = mapped_column(server_default="true")
    password_hash: Mapped[str | None]  # Argon2id; None: no password was chosen yet
    version: Mapped[int] = mapped_column(server_default="0")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_sign_in_at: Mapped[datetime | None]
    # No columns. `held_to`: the scope to which a token, or a missing second factor, holds them.
    held_to = ""
    lacks_factor = False
    role_permissions: ClassVar[list[str] | None] = None

    # Their own ERPNext and Nextcloud; secret and password are Fernet, see bascule.store.vault.
    erpnext_url: Mapped[str | None] = mapped_column(String(512))
    erpnext_api_key: Mapped[str | None] = mapped_column(String(512))
    erpnext_api_secret: Mapped[str | None] = mapped_column(
        Text, info=encrypted("API secret of ERPNext", beside="erpnext_url")
    )
    nextcloud_url: Mapped[str | None] = mapped_column(String(512))
    nextcloud_username: Mapped[str | None] = mapped_column(String(512))
    nextcloud_password: Mapped[str | None] = mapped_column(
        Text, info=encrypted("password of Nextcloud", beside="nextcloud_url")
    )

    def may(self, permission: Permission | str) -> bool:
        """By their role, and by the token that they act with. Templates give the name."""
        return has_permission(
            self.role, self.role_permissions, named(permission), held_to=self.held_to
        )


class ApiToken(Base):
    __tablename__ = "api_tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"))
    name: Mapped[str]
    token_hash: Mapped[str] = mapped_column(unique=True)  # SHA-256, hex
    scope: Mapped[str] = mapped_column(server_default="write")  # read, write, admin
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None]  # None: made before every token had an end
    last_used_at: Mapped[datetime | None]


class BrowserSession(Base):
    """A browser that is signed in. `id_hash` is the SHA-256 of what its cookie says; when its
    person showed last that it is them is `confirmed_at`; `way`: password, oidc or passkey;
    `factor_told`: the provider told of a second factor there.
    """

    __tablename__ = "sessions"
    __table_args__ = (Index("ix_sessions_user_id", "user_id"),)

    id_hash: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"))
    csrf: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    last_seen_at: Mapped[datetime] = mapped_column(server_default=func.now())
    confirmed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    way: Mapped[str] = mapped_column(server_default="password")
    factor_told: Mapped[bool] = mapped_column(server_default="false")
    address: Mapped[str]
    agent: Mapped[str]


class RefreshFamily(Base):
    """A program that signed in: the chain of its refresh tokens, which ends 90 days after it."""

    __tablename__ = "refresh_families"
    __table_args__ = (Index("ix_refresh_families_user_id", "user_id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"))
    began_at: Mapped[datetime] = mapped_column(server_default=func.now())
    confirmed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    address: Mapped[str] = mapped_column(server_default="")
    agent: Mapped[str] = mapped_column(server_default="")


class RefreshToken(Base):
    """One link in the chain of a program that signed in: `family`. Each is used once."""

    __tablename__ = "refresh_tokens"
    __table_args__ = (
        Index("ix_refresh_tokens_family", "family"),
        Index("ix_refresh_tokens_user_id", "user_id"),
    )

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    family: Mapped[UUID] = mapped_column(ForeignKey(RefreshFamily.id, ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    succession: Mapped[UUID | None]  # the signing key that made what came after it


class SigningKey(Base):
    """A random key; what the hub hands out is signed with the newest, see `signing`."""

    __tablename__ = "signing_keys"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    key_encrypted: Mapped[str] = mapped_column(Text, info=made_here("key of access tokens"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class SecondFactor(Base):
    """Somebody's authenticator app. `confirmed_at`: since when it is asked for; None while it is
    being set up. `last_step`: of the last code that was used, so that none is used twice.
    """

    __tablename__ = "second_factors"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"), unique=True)
    secret_encrypted: Mapped[str] = mapped_column(Text, info=encrypted("secret of one-time codes"))
    began_at: Mapped[datetime] = mapped_column(server_default=func.now())
    confirmed_at: Mapped[datetime | None]
    last_step: Mapped[int | None] = mapped_column(BigInteger)


class RecoveryCode(Base):
    """One that is left, instead of a code of the app; each works once."""

    __tablename__ = "recovery_codes"
    __table_args__ = (Index("ix_recovery_codes_user_id", "user_id"),)

    code_hash: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"))


class HalfSignIn(Base):
    """A browser whose person gave the password, or came from the provider (`way`), and has not
    given the second factor yet. `id_hash` is its cookie's.
    """

    __tablename__ = "half_sign_ins"
    __table_args__ = (Index("ix_half_sign_ins_user_id", "user_id"),)

    id_hash: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"))
    expires_at: Mapped[datetime]
    way: Mapped[str] = mapped_column(server_default="password")


class Passkey(Base):
    """A public key whose other half an authenticator of theirs has (WebAuthn). `credential_id`,
    `public_key` (COSE) and `user_handle` are url-safe base64; the handle is the same in all of
    somebody's, and tells nothing of them. `synced`: it is kept in more than one device.
    """

    __tablename__ = "passkeys"
    __table_args__ = (Index("ix_passkeys_user_id", "user_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"))
    name: Mapped[str]
    credential_id: Mapped[str] = mapped_column(unique=True)
    public_key: Mapped[str]
    user_handle: Mapped[str]
    sign_count: Mapped[int] = mapped_column(BigInteger, server_default="0")
    transports: Mapped[list[str]]
    synced: Mapped[bool] = mapped_column(server_default="false")
    made_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_used_at: Mapped[datetime | None]


class Identity(Base):
    """Somebody's account at an OpenID Connect provider, by what it says of it for good: `subject`.

    `called` is how it was shown when it was bound; nobody is found by it.
    """

    __tablename__ = "identities"
    __table_args__ = (
        UniqueConstraint("issuer", "subject"),
        UniqueConstraint("user_id", "issuer"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"))
    issuer: Mapped[str]
    subject: Mapped[str]
    called: Mapped[str] = mapped_column(server_default="")
    bound_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_at: Mapped[datetime | None]


class Challenge(Base):
    """What a browser was asked and has not answered; see `challenges`. Of what has to come back,
    and of what binds it to that browser, hashes are kept.
    """

    __tablename__ = "challenges"
    __table_args__ = (
        Index("ix_challenges_network", "network", "asked_at"),
        Index("ix_challenges_user_id", "user_id"),
    )

    value_hash: Mapped[str] = mapped_column(primary_key=True)
    purpose: Mapped[str]
    bound_hash: Mapped[str]
    user_id: Mapped[int | None] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"))
    next: Mapped[str] = mapped_column(server_default="/")
    network: Mapped[str] = mapped_column(server_default="")
    asked_at: Mapped[datetime] = mapped_column(server_default=func.now())


class OneTimeLink(Base):
    """A way to choose a password without having one: an invitation, or after a reset."""

    __tablename__ = "one_time_links"
    __table_args__ = (Index("ix_one_time_links_user_id", "user_id"),)

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]


class KnownDevice(Base):
    """A browser that a user signed in with; `id_hash` is the SHA-256 of what its cookie says."""

    __tablename__ = "known_devices"

    id_hash: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"), primary_key=True)
    last_at: Mapped[datetime] = mapped_column(server_default=func.now())


class SignInAttempts(Base):
    """How often somebody tried lately, by what `throttle` counts at."""

    __tablename__ = "sign_in_attempts"

    key: Mapped[str] = mapped_column(primary_key=True)
    attempts: Mapped[int]
    last_at: Mapped[datetime] = mapped_column(server_default=func.now())


class AllowedSite(Base):
    """An address in the hub's own network that an admin lets editors connect to."""

    __tablename__ = "allowed_sites"

    place: Mapped[str] = mapped_column(primary_key=True)  # host:port, lower case
    allowed_by: Mapped[int | None] = mapped_column(ForeignKey(User.id))  # None: the machine
    allowed_at: Mapped[datetime] = mapped_column(server_default=func.now())

"""Secrets at rest: Fernet, with a key from BASCULE_SECRET_KEY or from the data folder.

The newest key encrypts. While `key_rotation` runs, the key before it decrypts too.
"""

import base64
import hashlib
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.settings import Settings
from bascule.store.data_dir import kept_secret, open_folder
from bascule.store.errors import WrongKey

KEY_FILE = "secret.key"
KEY_LOCK = 0x6261_736B  # an advisory lock: shared to save a secret, exclusive for a new key
SHORTEST = 20  # characters
DEFAULTS = [
    "changeme",
    "change-me",
    "change_me",
    "insecure",
    "development",
    "password",
    "default",
    "example",
    "secret-key",
    "secret_key",
    "secretkey",
]


def make_key() -> str:
    return secrets.token_urlsafe(32)


class Vault:
    """Encrypts and decrypts with `keys`, the newest first, or with those `kept` in a file.

    The file is read each time, because it may get a new key at any moment. A Fernet key is the
    SHA-256 of the secret, as url-safe base64.
    """

    def __init__(self, *keys: str, kept: "KeptKeys | None" = None) -> None:
        self._keys: Callable[[], list[str]] = kept or (lambda: list(keys))
        self.path = kept.path if kept else None  # None: the keys come from the environment

    @property
    def keys(self) -> int:
        """How many keys decrypt: more than one during a rotation."""
        return len(self._keys())

    @property
    def newest(self) -> str:
        return self._keys()[0]

    def derived(self, purpose: str) -> bytes:
        """A separate key for this purpose; what it signs tells nothing about the Fernet key."""
        return derived(self._keys()[0], purpose)

    def encrypt(self, text: str) -> str:
        return _fernet(self._keys()[0]).encrypt(text.encode()).decode()

    def decrypt(self, text: str) -> str:
        try:
            return self._every.decrypt(text.encode()).decode()
        except InvalidToken:
            # Neither the token nor the cause belongs into a traceback.
            raise WrongKey(
                "A stored secret cannot be decrypted: it was encrypted with another key.",
                next_step=f"Put BASCULE_SECRET_KEY (or {KEY_FILE} in the data folder) back to what "
                "it was, name the key before it in BASCULE_SECRET_KEY_PREVIOUS, or enter the "
                "secret again.",
            ) from None

    def encrypted_at(self, text: str) -> datetime:
        """When this secret was saved. Fernet stores the time, and a rotation keeps it."""
        self.decrypt(text)  # or WrongKey
        return datetime.fromtimestamp(self._every.extract_timestamp(text.encode()), UTC)

    def renewed(self, text: str) -> str:
        """The secret under the newest key; the same text where it is under that key already."""
        try:
            _fernet(self._keys()[0]).decrypt(text.encode())
        except InvalidToken:
            self.decrypt(text)  # or WrongKey
            return self._every.rotate(text.encode()).decode()
        return text

    @property
    def _every(self) -> MultiFernet:
        return MultiFernet([_fernet(key) for key in self._keys()])

    @property
    def fingerprints(self) -> list[str]:
        """Of each key, the newest first; see `fingerprint`."""
        return [fingerprint(key) for key in self._keys()]

    @property
    def secrets(self) -> list[str]:
        """The keys themselves, the newest first; for a backup that is to hold them."""
        return self._keys()

    async def hold(self, session: AsyncSession) -> None:
        """Keeps the newest key from changing until the transaction ends.

        A secret is encrypted (or `renewed`) after this call, or it might be under a deleted key.
        """
        await session.execute(
            text("SELECT pg_advisory_xact_lock_shared(:lock)"), {"lock": KEY_LOCK}
        )

    def weakness(self) -> str | None:
        """Why the newest key is weak, in words; None where it is not."""
        key = self._keys()[0]
        if len(key) < SHORTEST:
            return f"has {len(key)} characters; a good one has {SHORTEST} or more"
        if any(known in key.lower() for known in DEFAULTS):
            return "is a word from an example or a default, which everybody knows"
        pairs = list(pairwise(key))
        steps = {ord(after) - ord(before) for before, after in pairs}
        if len(set(key)) < 8 or len(steps) < 6 or len(set(pairs)) < min(24, len(pairs) * 2 / 3):
            return "has too little variety: the same characters come again and again"
        return None


def fingerprint(secret: str) -> str:
    """Identifies a key without revealing it: 16 hexadecimal digits."""
    return derived(secret, "fingerprint of a secret key")[:8].hex()


def keys_there(settings: Settings) -> list[str]:
    """The keys that `load_vault` would find, the newest first; none is made where there is none."""
    if settings.secret_key is None and not (settings.data_dir / KEY_FILE).exists():
        return []
    return load_vault(settings).secrets


def load_vault(settings: Settings) -> Vault:
    if settings.secret_key:
        given = [settings.secret_key, settings.secret_key_previous]
        return Vault(*(key.get_secret_value() for key in given if key))
    path = open_folder(settings.data_dir) / KEY_FILE
    kept = KeptKeys(path)
    kept()  # made now, or refused now
    return Vault(kept=kept)


class KeptKeys:
    """The lines of the key file, read again when the file is another one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int, int] | None = None
        self._keys: list[str] = []

    def __call__(self) -> list[str]:
        if self._seen is None or self._mark() != self._seen:
            text = kept_secret(self.path, make_key)
            self._seen, self._keys = self._mark(), text.splitlines()
        return self._keys

    def _mark(self) -> tuple[int, int, int]:
        found = self.path.stat() if self.path.exists() else None
        return (found.st_ino, found.st_mtime_ns, found.st_size) if found else (0, 0, 0)


def derived(secret: str, purpose: str) -> bytes:
    """32 bytes of this secret for this purpose alone."""
    made = HKDF(SHA256(), length=32, salt=None, info=purpose.encode())
    return made.derive(secret.encode())


def _fernet(secret: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(secret.encode()).digest()))

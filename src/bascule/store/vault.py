"""Secrets at rest: Fernet, with a key from BASCULE_SECRET_KEY or from the data folder."""

import base64
import hashlib
import secrets

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bascule.settings import Settings
from bascule.store.errors import WrongKey
from bascule.store.folder import kept_secret, open_folder

KEY_FILE = "secret.key"


class Vault:
    """The Fernet key is the SHA-256 of the secret, as url-safe base64."""

    def __init__(self, secret_key: str) -> None:
        key = base64.urlsafe_b64encode(hashlib.sha256(secret_key.encode()).digest())
        self._fernet = Fernet(key)
        self._secret = secret_key.encode()

    def derived(self, purpose: str) -> bytes:
        """A key of its own for this purpose; what it signs says nothing about Fernet's."""
        return HKDF(SHA256(), length=32, salt=None, info=purpose.encode()).derive(self._secret)

    def encrypt(self, text: str) -> str:
        return self._fernet.encrypt(text.encode()).decode()

    def decrypt(self, text: str) -> str:
        try:
            return self._fernet.decrypt(text.encode()).decode()
        except InvalidToken:
            # Neither the token nor the cause belongs into a traceback.
            raise WrongKey(
                "A stored secret cannot be decrypted: it was encrypted with another key.",
                next_step=f"Put BASCULE_SECRET_KEY (or {KEY_FILE} in the data folder) back to what "
                "it was, or enter the connection's API secret again.",
            ) from None


def load_vault(settings: Settings) -> Vault:
    if settings.secret_key:
        return Vault(settings.secret_key.get_secret_value())
    path = open_folder(settings.data_dir) / KEY_FILE
    return Vault(kept_secret(path, lambda: secrets.token_urlsafe(32)))

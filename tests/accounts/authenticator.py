"""A software authenticator: makes passkeys and signs with them, as WebAuthn says; and otherwise,
where a test wants it to.
"""

import base64
import hashlib
import json
import secrets
import struct
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

PRESENT, VERIFIED, HAS_KEY = 0x01, 0x04, 0x40


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def raw(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Authenticator:
    """One device with one passkey. `origin`: the address that its browser is at; `rp_id`: as it is
    asked, or what it says instead. `sees`: whether it looks that it is its owner.
    """

    origin: str
    sees: bool = True
    present: bool = True
    count: int = 0
    counts: bool = True
    rp_id: str | None = None
    cross_origin: bool = False
    id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    handle: str = ""
    key: Any = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def create(self, options: dict[str, Any]) -> dict[str, Any]:
        self.handle = options["user"]["id"]
        numbers = self.key.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32), -3: numbers.y.to_bytes(32)}
        attested = bytes(16) + struct.pack(">H", len(self.id)) + self.id + cbor2.dumps(cose)
        data = self._data(self.rp_id or options["rp"]["id"], HAS_KEY) + attested
        made = {"fmt": "none", "attStmt": {}, "authData": data}
        client = self._client("webauthn.create", options["challenge"])
        response = {"clientDataJSON": b64(client), "attestationObject": b64(cbor2.dumps(made))}
        return self._credential({**response, "transports": ["internal", "hybrid", "telepathy"]})

    def get(self, options: dict[str, Any], *, kind: str = "webauthn.get") -> dict[str, Any]:
        data = self._data(self.rp_id or options["rpId"])
        client = self._client(kind, options["challenge"])
        signed = data + hashlib.sha256(client).digest()
        return self._credential(
            {
                "clientDataJSON": b64(client),
                "authenticatorData": b64(data),
                "signature": b64(self.key.sign(signed, ec.ECDSA(SHA256()))),
                "userHandle": self.handle,
            }
        )

    def copied(self) -> "Authenticator":
        """The same key in other hands."""
        return Authenticator(
            self.origin, count=self.count, id=self.id, handle=self.handle, key=self.key
        )

    def _data(self, rp_id: str, more: int = 0) -> bytes:
        self.count += 1
        flags = more | (PRESENT if self.present else 0) | (VERIFIED if self.sees else 0)
        count = self.count if self.counts else 0
        return hashlib.sha256(rp_id.encode()).digest() + struct.pack(">BI", flags, count)

    def _client(self, kind: str, challenge: str) -> bytes:
        said = {"type": kind, "challenge": challenge, "origin": self.origin}
        return json.dumps({**said, "crossOrigin": self.cross_origin}).encode()

    def _credential(self, response: dict[str, Any]) -> dict[str, Any]:
        number = b64(self.id)
        return {"id": number, "rawId": number, "type": "public-key", "response": response}

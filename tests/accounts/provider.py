"""An OpenID Connect provider over real HTTP, with real keys, which misbehaves as it is told.

Its person is signed in there and says yes at once: a browser that is sent to it is sent back.
"""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, parse_qsl, unquote, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm

CLIENT, SECRET = "the-hub", "s3cret of the hub, with /:+ in it"
Claims = dict[str, Any]


class Key:
    def __init__(self, kid: str) -> None:
        self.kid = kid
        self.private = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @property
    def jwk(self) -> dict[str, Any]:
        made: dict[str, Any] = RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        return {**made, "kid": self.kid, "use": "sig", "alg": "RS256"}

    @property
    def pem(self) -> bytes:
        public = self.private.public_key()
        return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, claims: Claims, **headers: Any) -> str:
        return jwt.encode(claims, self.private, "RS256", headers={"kid": self.kid, **headers})


class StandIn:
    """`person`: whom it says is there. `lie` changes claims before they are signed; `forge` makes
    the token itself; `answers`: what a path answers instead, (status, body); `describe`: what the
    discovery document says besides.
    """

    def __init__(self) -> None:
        self.keys = [Key("first")]
        self.anew()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=[0.05])

    def anew(self) -> None:
        self.person: Claims = {"sub": "anna-1", "email": "anna@example.com", "email_verified": True}
        self.lie: Callable[[Claims], Any] = lambda claims: None
        self.forge: Callable[[Claims, Key], str] = lambda claims, key: key.sign(claims)
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.describe: dict[str, Any] = {}
        self.userinfo: Claims = {}
        self.asked: list[tuple[str, str]] = []  # method and path
        self.left: list[dict[str, str]] = []  # what browsers came with
        self.exchanges: list[dict[str, str]] = []
        self.codes: dict[str, dict[str, str]] = {}

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.thread.join(10)
        self.server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def discovery(self) -> Claims:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize?realm=acme",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "jwks_uri": f"{self.url}/keys",
            "response_types_supported": ["code", "id_token"],
            "code_challenge_methods_supported": ["plain", "S256"],
            "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            **self.describe,
        }

    def authorize(self, query: dict[str, str]) -> str:
        """Where it sends the browser back to."""
        self.left.append(query)
        code = secrets.token_urlsafe(16)
        self.codes[code] = query
        back = {"code": code, "state": query["state"]}
        return f"{query['redirect_uri']}?{urlencode(back)}"

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, Claims]:
        self.exchanges.append(form)
        asked = self.codes.pop(form.get("code", ""), None)
        if asked is None:
            return 400, {"error": "invalid_grant"}
        pair = base64.b64decode(authorization.removeprefix("Basic ")).decode()
        if [unquote(part) for part in pair.split(":")] != [CLIENT, SECRET]:
            return 401, {"error": "invalid_client"}
        hashed = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(hashed).rstrip(b"=").decode()
        if challenge != asked["code_challenge"] or form["redirect_uri"] != asked["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": CLIENT,
            "exp": now + 300,
            "iat": now,
            "nonce": asked["nonce"],
            **({"auth_time": now} if "max_age" in asked else {}),
            **self.person,
        }
        self.lie(claims)
        token = self.forge(claims, self.keys[-1])
        return 200, {"access_token": "opens-userinfo", "token_type": "Bearer", "id_token": token}


def _handler(of: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            at = urlsplit(self.path)
            if self._instead(at.path):
                return
            if at.path == "/authorize":
                to = of.authorize(dict(parse_qsl(at.query)))
                self._say(302, b"", Location=to)
            elif at.path == "/.well-known/openid-configuration":
                self._json(200, of.discovery())
            elif at.path == "/keys":
                self._json(200, {"keys": [key.jwk for key in of.keys]})
            elif at.path == "/userinfo":
                known = self.headers["Authorization"] == "Bearer opens-userinfo"
                self._json(200 if known else 401, of.userinfo or {"sub": of.person["sub"]})
            else:
                self._json(404, {})

        def do_POST(self) -> None:
            at = urlsplit(self.path)
            body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
            if self._instead(at.path):
                return
            form = {name: values[0] for name, values in parse_qs(body).items()}
            self._json(*of.token(form, self.headers["Authorization"] or ""))

        def _instead(self, path: str) -> bool:
            of.asked.append((self.command, path))
            if path not in of.answers:
                return False
            status, body = of.answers[path]
            self._say(status, body, Location=f"{of.url}/elsewhere")
            return True

        def _json(self, status: int, said: Any) -> None:
            self._say(status, json.dumps(said).encode())

        def _say(self, status: int, body: bytes, **headers: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler

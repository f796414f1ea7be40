"""An OpenID provider on loopback, and tokens of every kind: well made, forged, stale and bent."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from tests.support.loopback import on_loopback

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

_ALGORITHMS: dict[str, Any] = {"RS256": RSAAlgorithm, "ES256": ECAlgorithm, "EdDSA": OKPAlgorithm}


class Key:
    """A key pair of an issuer, under an id."""

    def __init__(self, kid: str, algorithm: str = "ES256") -> None:
        self.kid = kid
        self.algorithm = algorithm
        self.private: PrivateKey
        match algorithm:
            case "RS256":
                self.private = rsa.generate_private_key(65537, 2048)
            case "ES256":
                self.private = ec.generate_private_key(ec.SECP256R1())
            case _:
                self.private = ed25519.Ed25519PrivateKey.generate()

    @property
    def jwk(self) -> dict[str, Any]:
        """The public key as a member of a key set."""
        public: Any = self.private.public_key()
        text = _ALGORITHMS[self.algorithm].to_jwk(public)
        return {**json.loads(text), "kid": self.kid, "alg": self.algorithm, "use": "sig"}

    def sign(self, claims: Mapping[str, Any], **header: Any) -> str:
        """Return a token; ``header`` adds to its header, or replaces."""
        return jwt.encode(
            dict(claims), self.private, self.algorithm, headers={"kid": self.kid, **header}
        )


def key_set(*keys: Key) -> bytes:
    """Return the key set of an issuer."""
    return json.dumps({"keys": [key.jwk for key in keys]}).encode()


def claims(issuer: str, audience: str, **others: Any) -> dict[str, Any]:
    """Return claims that are valid for a minute; of ``others``, None takes a claim away."""
    now = int(time.time())
    made = {"iss": issuer, "aud": audience, "iat": now, "exp": now + 60, **others}
    return {name: value for name, value in made.items() if value is not None}


def unsigned(header: Mapping[str, Any], payload: Mapping[str, Any], signature: bytes = b"") -> str:
    """Return a token of these very parts."""
    parts = (json.dumps(dict(header)).encode(), json.dumps(dict(payload)).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


class Provider:
    """What a provider serves now: its keys, and how it misbehaves.

    body: sent in place of the key set; status: of every answer; delay: seconds before each.
    fetches: of the key set so far; waiting: answers that are delayed now.
    """

    def __init__(self, url: str) -> None:
        self.issuer = url
        self.described_issuer = self.issuer
        self.keys_url = f"{self.issuer}/keys"
        self.keys: tuple[Key, ...] = ()
        self.body: bytes | None = None
        self.status = 200
        self.location: str | None = None
        self.delay = 0.0
        self.fetches = 0
        self.waiting = 0
        self.strangers: list[str] = []

    def answer(self, path: str) -> bytes | None:
        """Return the body at a path, None if there is nothing."""
        body = self._answer(path)  # as it is when it is asked for
        self.waiting += 1
        time.sleep(self.delay)
        self.waiting -= 1
        return body

    def _answer(self, path: str) -> bytes | None:
        if path == "/.well-known/openid-configuration":
            described = {"issuer": self.described_issuer, "jwks_uri": self.keys_url}
            return json.dumps(described).encode()
        if path == "/keys":
            self.fetches += 1
            return key_set(*self.keys) if self.body is None else self.body
        self.strangers.append(path)
        return None


@contextmanager
def provider() -> Iterator[Provider]:
    """Serve a provider until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = served.answer(self.path)
            self.send_response(served.status if body is not None else 404)
            if served.location is not None:
                self.send_header("Location", served.location)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            try:
                self.wfile.write(body or b"")
            except OSError:
                return  # whoever asked had enough

        def log_message(self, *_: object) -> None:
            pass

    with on_loopback(Handler) as url:
        served = Provider(url)
        yield served

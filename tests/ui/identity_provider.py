"""A small OpenID Connect provider on this machine: it lets the one user whom it knows in, without asking."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

_KEY = RSAKey.generate_key(2048, {"kid": "test", "use": "sig", "alg": "RS256"})


class _Provider(BaseHTTPRequestHandler):
    email = ""
    nonces: dict[str, str] = {}  # noqa: RUF012 - shared by all requests on purpose

    def do_GET(self) -> None:
        base, asked = f"http://{self.headers['Host']}", urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(asked.query).items()}
        if asked.path == "/authorize":
            self.nonces["code"] = query.get("nonce", "")
            self.send_response(302)
            self.send_header(
                "Location", f"{query['redirect_uri']}?{urlencode({'code': 'code', 'state': query['state']})}"
            )
            self.end_headers()
        elif asked.path == "/jwks":
            self._answer({"keys": [_KEY.as_dict(private=False)]})
        else:
            self._answer(
                {
                    "issuer": base,
                    "authorization_endpoint": f"{base}/authorize",
                    "token_endpoint": f"{base}/token",
                    "jwks_uri": f"{base}/jwks",
                    "response_types_supported": ["code"],
                    "subject_types_supported": ["public"],
                    "id_token_signing_alg_values_supported": ["RS256"],
                }
            )

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        now = int(time.time())
        claims = {"iss": f"http://{self.headers['Host']}", "sub": "1", "aud": "salesman", "iat": now, "exp": now + 600}
        claims |= {"nonce": self.nonces["code"], "email": self.email}
        token = jwt.encode({"alg": "RS256", "kid": "test"}, claims, _KEY)
        self._answer({"access_token": "x", "token_type": "Bearer", "expires_in": 600, "id_token": token})

    def _answer(self, body: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def identity_provider(email: str) -> Iterator[str]:
    """Serve until the block ends; yields the address of the provider's description."""
    handler = type("Provider", (_Provider,), {"email": email})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/.well-known/openid-configuration"
    finally:
        server.shutdown()
        server.server_close()

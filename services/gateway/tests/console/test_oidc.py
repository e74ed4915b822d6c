"""Signing in to the console at an OIDC issuer, on a real socket: the code flow with PKCE."""

import base64
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from fastapi import FastAPI
from jwt.algorithms import ECAlgorithm
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from turnwire_gateway.auth.caller import Caller
from turnwire_gateway.auth.oidc_config import OidcClientConfig, OidcConfig
from turnwire_gateway.auth.oidc_issuer import OidcIssuer
from turnwire_gateway.console.oidc_client import OidcClient
from turnwire_gateway.console.routes import console_routes
from turnwire_gateway.console.sessions import ConsoleSessions
from turnwire_gateway.errors import wrong_credentials
from turnwire_testing.asgi import Exchange, call
from turnwire_testing.listening import listening
from turnwire_testing.memory_sessions import MemorySessions

_CLIENT = "console"
_CONSOLE = "https://turnwire.example/console"


class _Issuer:
    """An issuer at which ada is signed in already."""

    def __init__(self) -> None:
        self.url = ""
        self.discovered = 0
        self.key = generate_private_key(SECP256R1())
        self.asked: dict[str, str] = {}
        self.authorization = ""
        self.changes: dict[str, Any] = {}
        """What it says otherwise in the ID token."""
        self.access: str | None = "opaque"

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._discovery),
                Route("/keys", self._keys),
                Route("/token", self._token, methods=["POST"]),
            ]
        )

    def signs_in(self, address: str) -> str:
        """Follow a browser to the issuer; gives the query with which it comes back."""
        parts = urlsplit(address)
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{self.url}/authorize"
        self.asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        return f"code=once&state={self.asked['state']}"

    def token(self, audience: str, **more: Any) -> str:
        claims = {
            "iss": self.url,
            "aud": audience,
            "exp": int(time.time()) + 300,
            "sub": "ada",
            "tenant": "acme",
        }
        return jwt.encode({**claims, **more}, self.key, "ES256", headers={"kid": "first"})

    async def _discovery(self, _: Request) -> Response:
        self.discovered += 1
        return JSONResponse(
            {
                "issuer": self.url,
                "jwks_uri": f"{self.url}/keys",
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
            }
        )

    async def _keys(self, _: Request) -> Response:
        listed: dict[str, Any] = ECAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return JSONResponse({"keys": [{**listed, "kid": "first", "use": "sig", "alg": "ES256"}]})

    async def _token(self, request: Request) -> Response:
        self.authorization = request.headers.get("authorization", "")
        form = {name: given[0] for name, given in parse_qs((await request.body()).decode()).items()}
        proof = base64.urlsafe_b64encode(sha256(form["code_verifier"].encode()).digest())
        if form["code"] != "once" or proof.decode().rstrip("=") != self.asked["code_challenge"]:
            return JSONResponse({"error": "invalid_grant"}, 400)
        said = {"nonce": self.asked["nonce"], **self.changes}
        id_token = self.token(said.pop("aud", _CLIENT), **said)
        return JSONResponse({"id_token": id_token, "access_token": self.access})


class _Gateway:
    """The console's routes, beside an issuer."""

    def __init__(self, issuer: _Issuer, audience: str, secret: str | None) -> None:
        oidc = OidcConfig(issuer=issuer.url, audience=audience)
        self._issuer = OidcIssuer(oidc)
        client = OidcClient(OidcClientConfig(oidc, _CLIENT, secret, "openid", _CONSOLE))
        sessions = ConsoleSessions(MemorySessions(), lambda: 1_000, 60_000)
        self.app = FastAPI(openapi_url=None)
        for method, path, handler in console_routes(sessions, self._identify, bool, client):
            self.app.add_api_route(path, handler, methods=[method])

    async def get(self, path: str, cookie: str = "") -> Exchange:
        fields = {"cookie": cookie} if cookie else {}
        return await call(self.app, "GET", path, Exchange(b"", fields))

    async def _identify(self, authorization: str | None) -> Caller:
        found = await self._issuer.caller_of((authorization or "").removeprefix("Bearer "))
        if found is None:
            raise wrong_credentials()
        return found


@asynccontextmanager
async def beside(
    issuer: _Issuer, audience: str = _CLIENT, secret: str | None = None
) -> AsyncGenerator[_Gateway]:
    async with listening(issuer.app()) as base:
        issuer.url = base.removesuffix("/v1")
        yield _Gateway(issuer, audience, secret)


async def came_back(gateway: _Gateway, issuer: _Issuer) -> Exchange:
    """Go to the issuer and come back."""
    leaving = await gateway.get("/console/session/oidc")
    assert leaving.status == 303
    query = issuer.signs_in(leaving.headers["location"])
    cookie = leaving.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    return await gateway.get(f"/console/session/oidc/callback?{query}", cookie.partition(";")[0])


def cookies_of(answer: Exchange) -> list[str]:
    """Give all cookies that an answer sets."""
    (start,) = [each for each in answer.sent if each["type"] == "http.response.start"]
    return [value.decode() for name, value in start["headers"] if name == b"set-cookie"]


def problem_of(answer: Exchange) -> str:
    """Give the code with which a browser is sent back to the console."""
    assert cookies_of(answer) == []
    assert answer.headers["location"].startswith(f"{_CONSOLE}/?")
    return parse_qs(urlsplit(answer.headers["location"]).query)["sign_in"][0]


@pytest.mark.parametrize(("audience", "access"), [(_CLIENT, "opaque"), ("turnwire", None)])
async def test_who_is_signed_in_at_the_issuer_is_signed_in_here(
    audience: str, access: str | None
) -> None:
    issuer = _Issuer()
    async with beside(issuer, audience) as gateway:
        issuer.access = access or issuer.token(audience)
        answer = await came_back(gateway, issuer)
        assert answer.headers["location"] == f"{_CONSOLE}/"
        assert issuer.asked["redirect_uri"] == f"{_CONSOLE}/session/oidc/callback"
        assert (issuer.asked["response_type"], issuer.asked["scope"]) == ("code", "openid")
        assert issuer.asked["code_challenge_method"] == "S256"
        name = "__Host-turnwire_session"
        (session,) = [each for each in cookies_of(answer) if each.startswith(name)]
        assert "SameSite=strict" in session
        told = (await gateway.get("/console/session", session.partition(";")[0])).json
    assert told["caller"]["user"] == "ada"
    assert told["oidc"] is True


async def test_the_issuer_is_asked_once_where_it_is_however_many_want_to_sign_in() -> None:
    issuer = _Issuer()
    async with beside(issuer) as gateway:
        for _ in range(5):
            assert (await gateway.get("/console/session/oidc")).status == 303
        assert issuer.discovered == 1
        answer = await came_back(gateway, issuer)
        assert answer.headers["location"] == f"{_CONSOLE}/"


async def test_a_secret_is_shown_to_the_issuer_alone() -> None:
    issuer = _Issuer()
    async with beside(issuer, _CLIENT, "s+1") as gateway:
        answer = await came_back(gateway, issuer)
        assert answer.headers["location"] == f"{_CONSOLE}/"
    assert issuer.authorization == f"Basic {base64.b64encode(b'console:s%2B1').decode()}"


@pytest.mark.parametrize(
    "changes", [{"nonce": "another"}, {"aud": "elsewhere"}, {"iss": "http://x"}, {"exp": 1}]
)
async def test_an_id_token_that_is_not_for_this_attempt_signs_nobody_in(
    changes: dict[str, Any],
) -> None:
    issuer = _Issuer()
    issuer.changes = changes
    async with beside(issuer) as gateway:
        assert problem_of(await came_back(gateway, issuer)) == "failed"


async def test_a_user_whom_the_gateway_does_not_know_is_told_so() -> None:
    issuer = _Issuer()
    issuer.changes = {"tenant": "no tenant"}
    async with beside(issuer) as gateway:
        assert problem_of(await came_back(gateway, issuer)) == "unknown"


@pytest.mark.parametrize("query", ["code=once&state=another", "error=access_denied&state={}", ""])
async def test_what_the_issuer_did_not_answer_to_this_browser_is_refused(query: str) -> None:
    issuer = _Issuer()
    async with beside(issuer) as gateway:
        leaving = await gateway.get("/console/session/oidc")
        issuer.signs_in(leaving.headers["location"])
        cookie = leaving.headers["set-cookie"].partition(";")[0]
        path = f"/console/session/oidc/callback?{query.format(issuer.asked['state'])}"
        assert problem_of(await gateway.get(path, cookie)) == "denied"
        assert problem_of(await gateway.get(path)) == "expired"


async def test_without_the_issuer_one_is_led_back() -> None:
    issuer = _Issuer()
    async with beside(issuer) as gateway:
        pass
    assert problem_of(await gateway.get("/console/session/oidc")) == "unreachable"

"""An issuer on a real socket: found, followed when it changes its keys, done without when away."""

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from jwt.algorithms import ECAlgorithm
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from turnwire_gateway.auth.oidc_config import OidcConfig
from turnwire_gateway.auth.oidc_issuer import OidcIssuer
from turnwire_gateway.errors import ApiError
from turnwire_testing.listening import listening

AUDIENCE = "turnwire"


class Login:
    """What an issuer publishes, as a test wants it."""

    def __init__(self) -> None:
        """Publish one key."""
        self.url = ""
        self.says_it_is: str | None = None
        self.redirects = False
        self.asked = 0
        self.keys = {"first": generate_private_key(SECP256R1())}

    @property
    def oidc(self) -> OidcConfig:
        """How the gateway is configured for it."""
        return OidcConfig(issuer=self.url, audience=AUDIENCE)

    def app(self) -> Starlette:
        """Give the application."""
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._discovery),
                Route("/keys", self._published),
            ]
        )

    def token(self, kid: str, user: str = "ada") -> str:
        """Sign a token."""
        claims = {
            "iss": self.url,
            "aud": AUDIENCE,
            "exp": int(time.time()) + 300,
            "sub": user,
            "tenant": "acme",
        }
        return jwt.encode(claims, self.keys[kid], "ES256", headers={"kid": kid})

    async def _discovery(self, _: Request) -> Response:
        issuer = self.says_it_is or self.url
        return JSONResponse({"issuer": issuer, "jwks_uri": f"{self.url}/keys"})

    async def _published(self, _: Request) -> Response:
        self.asked += 1
        if self.redirects:
            return RedirectResponse(f"{self.url}/elsewhere")
        return JSONResponse({"keys": [_public(kid, key) for kid, key in self.keys.items()]})


def _public(kid: str, key: EllipticCurvePrivateKey) -> dict[str, Any]:
    listed: dict[str, Any] = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {**listed, "kid": kid, "use": "sig", "alg": "ES256"}


@asynccontextmanager
async def published(login: Login) -> AsyncGenerator[None]:
    async with listening(login.app()) as base:
        login.url = base.removesuffix("/v1")
        yield


async def user_of(issuer: OidcIssuer, token: str) -> str | None:
    caller = await issuer.caller_of(token)
    return None if caller is None else caller.owner


async def test_an_issuer_is_found_by_its_discovery_document() -> None:
    async with published(login := Login()):
        issuer = OidcIssuer(login.oidc)
        assert await user_of(issuer, login.token("first")) == "ada"
        assert await user_of(issuer, login.token("first", "bob")) == "bob"
    assert login.asked == 1


async def test_a_new_key_is_fetched_when_a_token_names_it_and_an_old_one_ends() -> None:
    async with published(login := Login()):
        issuer = OidcIssuer(login.oidc, again_s=0)
        old = login.token("first")
        assert await user_of(issuer, old) == "ada"
        login.keys = {"second": generate_private_key(SECP256R1())}
        assert await user_of(issuer, login.token("second")) == "ada"
        assert await user_of(issuer, old) is None


async def test_unknown_keys_are_not_asked_for_again_and_again() -> None:
    async with published(login := Login()):
        issuer = OidcIssuer(login.oidc)
        assert await user_of(issuer, login.token("first")) == "ada"
        login.keys["second"] = generate_private_key(SECP256R1())
        for _ in range(20):
            assert await user_of(issuer, login.token("second")) is None
    assert login.asked == 1


async def test_the_last_keys_go_on_while_the_issuer_is_away() -> None:
    async with published(login := Login()):
        issuer = OidcIssuer(login.oidc, again_s=0)
        assert await user_of(issuer, login.token("first")) == "ada"
    login.keys["second"] = generate_private_key(SECP256R1())
    assert await user_of(issuer, login.token("second")) is None
    assert await user_of(issuer, login.token("first", "bob")) == "bob"


@pytest.mark.parametrize("wrong", ["away", "another issuer", "a redirection", "plain HTTP"])
async def test_without_keys_nobody_is_judged(wrong: str) -> None:
    async with published(login := Login()):
        login.says_it_is = "https://login.example" if wrong == "another issuer" else None
        login.redirects = wrong == "a redirection"
        token = login.token("first")
        oidc = login.oidc
        if wrong == "plain HTTP":
            oidc = OidcConfig(login.url, AUDIENCE, jwks_url="http://login.example/keys")
        if wrong != "away":
            await _refuses(OidcIssuer(oidc), token)
    if wrong == "away":
        await _refuses(OidcIssuer(oidc), token)


async def _refuses(issuer: OidcIssuer, token: str) -> None:
    with pytest.raises(ApiError) as raised:
        await issuer.caller_of(token)
    failure = raised.value.failure
    assert (failure.http_status, failure.code) == (503, "identity_unavailable")

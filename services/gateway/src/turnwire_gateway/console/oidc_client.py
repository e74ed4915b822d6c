"""Signing in at the issuer: the code flow with PKCE (OpenID Connect Core §3.1, RFC 7636)."""

import asyncio
import base64
import hmac
import secrets
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final
from urllib.parse import quote

from msgspec import Struct, structs

from turnwire_chassis.concurrency import ConcurrencyLimit, FullError
from turnwire_gateway.auth.oidc_config import OidcClientConfig
from turnwire_gateway.auth.oidc_keys import NoKeysError, fetch_keys
from turnwire_gateway.auth.oidc_pages import IssuerPageError, discover, read_page
from turnwire_gateway.auth.oidc_token import key_id_of, verified

CALLBACK: Final = "/session/oidc/callback"
"""Below the console's address; registered with the issuer as the redirect URI."""

_VERIFIER_CHARACTERS: Final = 64
_KNOWN_S: Final = 300.0
"""For how long the issuer's endpoints are remembered."""
_AWAY_S: Final = 1.0
"""For how long an issuer that did not answer is not asked again."""
_AT_ONCE: Final = (4, 64)
"""How many of the issuer's pages are read at once, and how many more wait for that."""
_ENDPOINTS: Final = ("authorization_endpoint", "token_endpoint")


class SignInAttempt(Struct, frozen=True):
    """What a browser keeps between leaving for the issuer and coming back."""

    state: str
    nonce: str
    verifier: str


class SignInError(Exception):
    """Signing in came to nothing; the text is a code that the console explains."""


class OidcClient:
    """Sends browsers to the issuer, and takes the tokens for which they come back."""

    def __init__(self, config: OidcClientConfig) -> None:
        self._config = config
        self._known: dict[str, str] = {}
        self._known_until = self._away_until = float("-inf")
        self._at_once = ConcurrencyLimit(*_AT_ONCE)
        self._redirect_uri = config.console_url + CALLBACK

    @property
    def console_url(self) -> str:
        """Where browsers have the console."""
        return self._config.console_url

    async def begin(self) -> tuple[str, SignInAttempt]:
        """Give the address at the issuer, and what to keep until its answer.

        Raises `SignInError`.
        """
        client = self._client()
        verifier: str = client.create_code_verifier(_VERIFIER_CHARACTERS)
        attempt = SignInAttempt(secrets.token_urlsafe(24), secrets.token_urlsafe(24), verifier)
        endpoints = await self._endpoints()
        address: str = client.prepare_request_uri(
            _as_https(endpoints["authorization_endpoint"]),
            redirect_uri=self._redirect_uri,
            scope=self._config.scope,
            state=attempt.state,
            nonce=attempt.nonce,
            code_challenge=client.create_code_challenge(verifier, "S256"),
            code_challenge_method="S256",
        )
        scheme = endpoints["authorization_endpoint"].partition(":")[0]
        return f"{scheme}:{address.partition(':')[2]}", attempt

    async def finish(self, query: str, attempt: SignInAttempt) -> tuple[str, ...]:
        """Give the tokens for what the issuer sent a browser back with.

        The access token comes first; some issuers' are no tokens that others can read. Raises
        `SignInError`.
        """
        client = self._client()
        try:
            answer: dict[str, str] = client.parse_request_uri_response(
                f"https://callback?{query}", state=attempt.state
            )
        except _library().OAuth2Error as error:
            raise SignInError("denied") from error
        form: str = client.prepare_request_body(
            code=answer["code"],
            redirect_uri=self._redirect_uri,
            code_verifier=attempt.verifier,
        )
        endpoints = await self._endpoints()
        tokens = await self._asked(endpoints["token_endpoint"], form)
        id_token = tokens.get("id_token")
        if not isinstance(id_token, str) or not await self._is_for(id_token, attempt):
            raise SignInError("failed")
        access = tokens.get("access_token")
        return (access, id_token) if isinstance(access, str) else (id_token,)

    def _client(self) -> Any:
        return _library().WebApplicationClient(self._config.client_id)

    async def _endpoints(self) -> dict[str, str]:
        now = time.monotonic()
        if now < self._away_until:
            raise SignInError("unreachable")
        if now >= self._known_until:
            try:
                self._known = await self._threaded(discover, self._config.oidc.issuer, *_ENDPOINTS)
            except IssuerPageError as error:
                self._away_until = time.monotonic() + _AWAY_S
                raise SignInError("unreachable") from error
            self._known_until = time.monotonic() + _KNOWN_S
        return self._known

    async def _threaded(self, read: Callable[..., dict[str, Any]], *of: object) -> dict[str, Any]:
        """Read a page of the issuer. Raises `SignInError`, `IssuerPageError`.

        Those who ask are not signed in yet: however many they are, the issuer is asked by few at
        once, and few of the threads that all of the gateway shares wait for it.
        """
        try:
            async with self._at_once.slot():
                return await asyncio.to_thread(read, *of)
        except FullError as error:
            raise SignInError("unreachable") from error

    async def _asked(self, url: str, form: str) -> dict[str, Any]:
        headers: dict[str, str] = {}
        if self._config.client_secret is not None:
            # RFC 6749 §2.3.1
            pair = f"{quote(self._config.client_id, '')}:{quote(self._config.client_secret, '')}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        try:
            return await self._threaded(read_page, url, form, headers)
        except IssuerPageError as error:
            raise SignInError("failed") from error

    async def _is_for(self, id_token: str, attempt: SignInAttempt) -> bool:
        """Tell whether the issuer made it for us, and for this very attempt."""
        ours = structs.replace(self._config.oidc, audience=self._config.client_id)
        may_be, key_id = key_id_of(id_token)
        try:
            keys = await asyncio.to_thread(fetch_keys, ours) if may_be else None
        except NoKeysError as error:
            raise SignInError("unreachable") from error
        key = None if keys is None else keys.find(key_id)
        claims = None if key is None else verified(id_token, key, ours)
        nonce = None if claims is None else claims.get("nonce")
        return isinstance(nonce, str) and hmac.compare_digest(
            nonce.encode(), attempt.nonce.encode()
        )


def _library() -> Any:
    """Give `oauthlib.oauth2`, which only gateways that sign in by OIDC have in memory."""
    return import_module("oauthlib.oauth2")


def _as_https(url: str) -> str:
    """The library takes https alone; what may be http is decided by the settings."""
    return "https:" + url.partition(":")[2]

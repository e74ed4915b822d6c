"""Whatever is wrong with a token, the answer is one and the same, on every route."""

import asyncio
import base64
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from fastapi.routing import APIRoute
from jwt.algorithms import RSAAlgorithm
from nats.aio.client import Client
from websockets.exceptions import InvalidStatus

from turnwire_chassis.api_keys.bucket import KeyEntry
from turnwire_chassis.api_keys.key_text import new_key
from turnwire_chassis.api_keys.record import KeyOwner, recorded
from turnwire_contracts.ids import OwnerId, TenantId
from turnwire_gateway.api.middleware import OPEN_PATHS
from turnwire_gateway.app import build
from turnwire_gateway.auth.bearer import LONGEST_TOKEN, Bearers
from turnwire_gateway.auth.caller import ADMIN, LOCAL
from turnwire_gateway.auth.key_ring import KeyRing
from turnwire_gateway.auth.oidc_config import OidcConfig
from turnwire_gateway.auth.oidc_issuer import OidcIssuer
from turnwire_gateway.auth.oidc_keys import KeySet, NoKeysError
from turnwire_gateway.errors import ApiError
from turnwire_testing.asgi import Exchange, call
from turnwire_testing.gateway import Api
from turnwire_testing.listening import listening
from turnwire_testing.sockets import connected

PEPPER = b"a pepper of 32 letters, or so it is"
ISSUER, AUDIENCE, KID = "https://login.example", "turnwire", "key-1"
OIDC = OidcConfig(issuer=ISSUER, audience=AUDIENCE)
GOOD, REVOKED, FOREIGN, UNKNOWN = (
    new_key(bytes([n]) * 9 + bytes(range(n, n + 32))) for n in range(1, 5)
)
PRIVATE = generate_private_key(65537, 2048)
STRANGER = generate_private_key(65537, 2048)
PEM = PRIVATE.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)


def _public() -> dict[str, Any]:
    listed: dict[str, Any] = RSAAlgorithm.to_jwk(PRIVATE.public_key(), as_dict=True)
    return {**listed, "kid": KID, "use": "sig", "alg": "RS256"}


def signed(key: Any = PRIVATE, algorithm: str = "RS256", **changes: Any) -> str:
    """Sign a token that is good but for the changes; `None` leaves a claim out."""
    headers = changes.pop("headers", {"kid": KID})
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "exp": now + 300,
        "sub": "ada",
        "tenant": "acme",
        **changes,
    }
    kept = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(kept, key, algorithm, headers=headers)


def unsigned(header: dict[str, Any]) -> str:
    """Write a token by hand, without a signature."""
    first = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
    return f"{first}.{signed().split('.')[1]}."


def _hs256() -> str:
    """Take the public key for a secret."""
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"key-1"}').rstrip(b"=")
    text = head + b"." + signed().split(".")[1].encode()
    digest = base64.urlsafe_b64encode(hmac.digest(PEM, text, "sha256")).rstrip(b"=")
    return (text + b"." + digest).decode()


WRONG: dict[str, Callable[[], str | None]] = {
    "no header": lambda: None,
    "an empty header": lambda: "",
    "the scheme alone": lambda: "Bearer",
    "an empty token": lambda: "Bearer ",
    "two blanks": lambda: f"Bearer  {GOOD}",
    "a tab": lambda: f"Bearer\t{GOOD}",
    "no scheme": lambda: GOOD,
    "Basic": lambda: "Basic " + base64.b64encode(GOOD.encode()).decode(),
    "another scheme": lambda: f"Token {GOOD}",
    "a word": lambda: "Bearer any",
    "OpenAI's prefix": lambda: "Bearer sk-" + GOOD[3:],
    "another prefix": lambda: "Bearer tw_pat_" + GOOD[7:],
    "a prefix in capitals": lambda: "Bearer " + GOOD.replace("tw_key", "TW_KEY"),
    "the prefix alone": lambda: "Bearer tw_key_",
    "a wrong checksum": lambda: "Bearer " + GOOD[:-1] + ("0" if GOOD[-1] != "0" else "1"),
    "a typo": lambda: "Bearer " + GOOD[:20] + ("0" if GOOD[20] != "0" else "1") + GOOD[21:],
    "an unknown key": lambda: f"Bearer {UNKNOWN}",
    "a revoked key": lambda: f"Bearer {REVOKED}",
    "another deployment's key": lambda: f"Bearer {FOREIGN}",
    "the key's id": lambda: "Bearer key_" + GOOD[7:19],
    "a key cut short": lambda: "Bearer " + GOOD[:-6],
    "a key and more": lambda: f"Bearer {GOOD}x",
    "a key with a blank behind": lambda: f"Bearer {GOOD} ",
    "two keys": lambda: f"Bearer {GOOD},{GOOD}",
    "a key in quotes": lambda: f'Bearer "{GOOD}"',
    "a line feed": lambda: f"Bearer {GOOD}\n",
    "a zero byte": lambda: f"Bearer {GOOD}\0",
    "letters of another script": lambda: "Bearer " + GOOD.replace("tw", "\u00fc\u00fc"),
    "digits of another script": lambda: f"Bearer {GOOD[:-1]}\u00b2",
    "a very long key": lambda: "Bearer tw_key_" + "a" * LONGEST_TOKEN,
    "a very long token": lambda: "Bearer " + "a." * LONGEST_TOKEN,
    "dots": lambda: "Bearer ..",
    "no JWT": lambda: "Bearer a.b.c",
    "alg none": lambda: "Bearer " + unsigned({"alg": "none", "kid": KID}),
    "alg None": lambda: "Bearer " + unsigned({"alg": "None", "kid": KID}),
    "no alg": lambda: "Bearer " + unsigned({"kid": KID}),
    "HS256 with the public key": lambda: "Bearer " + _hs256(),
    "another algorithm of the key": lambda: "Bearer " + signed(algorithm="PS256"),
    "an expired token": lambda: "Bearer " + signed(exp=int(time.time()) - 60),
    "a token without end": lambda: "Bearer " + signed(exp=None),
    "an end that is no time": lambda: "Bearer " + signed(exp="soon"),
    "a token of tomorrow": lambda: "Bearer " + signed(nbf=int(time.time()) + 86_400),
    "another audience": lambda: "Bearer " + signed(aud="another"),
    "no audience": lambda: "Bearer " + signed(aud=None),
    "another issuer": lambda: "Bearer " + signed(iss=f"{ISSUER}/"),
    "no issuer": lambda: "Bearer " + signed(iss=None),
    "an unknown kid": lambda: "Bearer " + signed(headers={"kid": "key-2"}),
    "a kid that is a path": lambda: "Bearer " + signed(headers={"kid": "../../etc/passwd"}),
    "a key it brings itself": lambda: (
        "Bearer "
        + signed(
            STRANGER, headers={"kid": "key-2", "jwk": _public(), "jku": "https://evil.example"}
        )
    ),
    "another issuer's signature": lambda: "Bearer " + signed(STRANGER),
    "a signature cut short": lambda: "Bearer " + signed()[:-8],
    "another body": lambda: (
        "Bearer "
        + ".".join(
            (signed().split(".")[0], signed(sub="bob").split(".")[1], signed().split(".")[2])
        )
    ),
    "no user": lambda: "Bearer " + signed(sub=None),
    "an empty user": lambda: "Bearer " + signed(sub=""),
    "no tenant": lambda: "Bearer " + signed(tenant=None),
    "a tenant that is a pattern": lambda: "Bearer " + signed(tenant="*"),
    "a tenant with a dot": lambda: "Bearer " + signed(tenant="acme.x"),
    "a tenant that is a list": lambda: "Bearer " + signed(tenant=["acme"]),
    "a token in a token": lambda: "Bearer " + signed(headers={"kid": KID, "cty": "JWT"})[::-1],
}


@pytest.fixture(scope="module")
def bearers() -> Bearers:
    """One good key, one that was revoked, one of another pepper; an issuer."""
    ring = KeyRing(PEPPER)
    ada = KeyOwner(TenantId("acme"), OwnerId("ada"), "user")
    for place, (key, pepper, revoked) in enumerate(
        ((GOOD, PEPPER, None), (REVOKED, PEPPER, 2), (FOREIGN, b"another pepper", None))
    ):
        record = msgspec.structs.replace(recorded(key, ada, pepper, 1), revoked_ms=revoked)
        ring.learn(KeyEntry(place, record.id, record))
    issuer = OidcIssuer(OIDC, lambda _: KeySet({"keys": [_public()]}))
    return Bearers(ring, issuer, may_be_open=True, now_ms=lambda: 0)


@pytest.fixture
async def api(client: Client, bearers: Bearers) -> Api:
    """A gateway that wants to know who is calling."""
    api = await Api(client).with_store()
    api.app = build(msgspec.structs.replace(api.world, identify=bearers.identify))
    return api


def test_there_are_enough_of_them() -> None:
    assert len(WRONG) >= 40


async def test_all_wrong_tokens_get_one_answer_and_the_good_ones_another(api: Api) -> None:
    answers = {name: await asked(api, write()) for name, write in WRONG.items()}
    assert set(answers.values()) == {answers["no header"]}
    status, challenge, body = answers["no header"]
    assert (status, challenge) == (401, "Bearer")
    error = json.loads(body)["error"]
    assert (error["type"], error["code"]) == ("invalid_request_error", "invalid_api_key")
    for good in (f"Bearer {GOOD}", f"bearer {GOOD}", "Bearer " + signed()):
        assert (await asked(api, good))[0] == 200


async def asked(api: Api, authorization: str | None) -> tuple[int, str | None, bytes]:
    """Ask for the conversations; gives what of the answer could differ."""
    fields = {} if authorization is None else {"authorization": authorization}
    fields["x-request-id"] = "req_1"
    exchange = await call(api.app, "GET", "/v1/conversations", Exchange(fields=fields))  # pyright: ignore[reportArgumentType] -- ASGI
    return exchange.status, exchange.headers.get("www-authenticate"), exchange.body


async def test_every_route_but_the_open_ones_asks_who_is_calling(api: Api) -> None:
    routes = [each for each in api.app.routes if isinstance(each, APIRoute)]
    assert len(routes) > 20
    for route in routes:
        for method in route.methods or ():
            status = (await call(api.app, method, route.path, Exchange())).status  # pyright: ignore[reportArgumentType] -- ASGI
            assert (status == 401) == (route.path not in OPEN_PATHS), (method, route.path)
    assert (await call(api.app, "GET", "/v1/no-such-route", Exchange())).status == 401  # pyright: ignore[reportArgumentType] -- ASGI


async def test_a_websocket_is_refused_before_it_opens(api: Api) -> None:
    async with listening(api.app) as url:
        with pytest.raises(InvalidStatus) as refused:
            async with connected(url, {"Authorization": f"Bearer {REVOKED}"}):
                pass
        assert refused.value.response.status_code == 401
        assert refused.value.response.headers["www-authenticate"] == "Bearer"
        async with connected(url, {"Authorization": f"Bearer {GOOD}"}):
            pass


async def test_a_key_and_a_token_name_their_caller(bearers: Bearers) -> None:
    by_key = await bearers.identify(f"Bearer {GOOD}")
    assert (by_key.tenant, by_key.owner, by_key.is_admin) == ("acme", "ada", False)
    assert by_key.key is not None
    admin = await bearers.identify("Bearer " + signed(roles=["user", "admin"]))
    assert (admin.owner, admin.roles, admin.key) == ("ada", {"user", ADMIN}, None)
    assert not (await bearers.identify("Bearer " + signed(roles="administrator"))).is_admin


async def test_with_no_key_ever_made_and_no_issuer_this_machine_needs_none() -> None:
    ring = KeyRing(PEPPER)
    here = Bearers(ring, None, may_be_open=True, now_ms=lambda: 0)
    assert await here.identify(None) == LOCAL
    with pytest.raises(ApiError):
        await Bearers(ring, None, may_be_open=False, now_ms=lambda: 0).identify("Bearer any")
    record = recorded(GOOD, KeyOwner(TenantId("acme"), OwnerId("ada"), "admin"), PEPPER, 1)
    ring.learn(KeyEntry(1, record.id, record))
    assert (await here.identify(f"Bearer {GOOD}")).is_admin
    ring.learn(KeyEntry(2, record.id, msgspec.structs.replace(record, revoked_ms=2)))
    with pytest.raises(ApiError):
        await here.identify(f"Bearer {GOOD}")
    with pytest.raises(ApiError):
        await here.identify(None)


async def test_unknown_keys_ask_the_issuer_no_more_than_now_and_then() -> None:
    asked_for: list[OidcConfig] = []

    def fetch(oidc: OidcConfig) -> KeySet:
        asked_for.append(oidc)
        return KeySet({"keys": [_public()]})

    issuer = OidcIssuer(OIDC, fetch)
    tokens = [signed(headers={"kid": f"key-{n}"}) for n in range(2, 22)]
    assert set(await asyncio.gather(*map(issuer.caller_of, tokens))) == {None}
    assert await issuer.caller_of(signed()) is not None
    assert len(asked_for) == 1


async def test_only_an_issuer_that_never_answered_makes_it_unavailable() -> None:
    def fetch(oidc: OidcConfig) -> KeySet:
        raise NoKeysError(oidc.issuer)

    with pytest.raises(ApiError) as raised:
        await OidcIssuer(OIDC, fetch).caller_of(signed())
    assert raised.value.failure.code == "identity_unavailable"
    assert await OidcIssuer(OIDC, fetch).caller_of("no.jwt.atall") is None

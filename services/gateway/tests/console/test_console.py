"""The console's routes: signing in, whose requests a session stands for, and the page's files."""

import re
from collections.abc import Callable

import orjson
import pytest
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from turnwire_contracts.ids import OwnerId, TenantId
from turnwire_gateway.api.error_responses import add_exception_handlers
from turnwire_gateway.api.middleware import IdentityMiddleware
from turnwire_gateway.api.request_context import answered, caller
from turnwire_gateway.auth.caller import LOCAL, Caller
from turnwire_gateway.console.pages import POLICY
from turnwire_gateway.console.routes import console_routes
from turnwire_gateway.console.session_middleware import SessionMiddleware
from turnwire_gateway.console.sessions import ConsoleSessions
from turnwire_gateway.errors import wrong_credentials
from turnwire_testing.asgi import Exchange, call
from turnwire_testing.memory_sessions import MemorySessions

_OWN = {
    "host": "turnwire.example",
    "origin": "http://turnwire.example",
    "x-turnwire-console": "1",
}
_FIELD = "api_key"
_KEY = orjson.dumps({_FIELD: "good"})


class _Console:
    """A gateway with the console and one route of the API."""

    def __init__(self, is_open: Callable[[], bool] = bool) -> None:
        self.records = MemorySessions()
        self.good = {"Bearer good"}
        self.is_open = is_open
        sessions = ConsoleSessions(self.records, lambda: 1_000, 60_000)
        self.app = FastAPI(openapi_url=None, redirect_slashes=False)
        self.app.add_api_route("/v1/who", self._who, methods=["GET", "POST"])
        for method, path, handler in console_routes(sessions, self._identify, is_open):
            self.app.add_api_route(path, handler, methods=[method])
        self.app.add_middleware(IdentityMiddleware, identify=self._identify)
        self.app.add_middleware(SessionMiddleware, sessions=sessions)
        add_exception_handlers(self.app)

    async def asked(
        self, target: str, fields: dict[str, str] | None = None, content: bytes = b""
    ) -> Exchange:
        method, path = target.split(" ")
        return await call(self.app, method, path, Exchange(content, fields or {}))

    async def cookie(self, fields: dict[str, str] = _OWN) -> str:
        answer = await self.asked("POST /console/session", fields, _KEY)
        assert answer.status == 200
        return answer.headers["set-cookie"]

    async def _identify(self, authorization: str | None) -> Caller:
        if self.is_open():
            return LOCAL
        if authorization not in self.good:
            raise wrong_credentials()
        return Caller(TenantId("t"), OwnerId("ada"))

    async def _who(self, request: Request) -> Response:
        return answered({"owner": caller(request).owner})


def _pair(cookie: str) -> str:
    return cookie.partition(";")[0]


async def test_a_session_stands_for_the_key_it_was_opened_with_until_that_is_revoked() -> None:
    console = _Console()
    cookie = _pair(await console.cookie())
    mine = {**_OWN, "cookie": cookie}

    assert (await console.asked("POST /v1/who", mine)).json == {"owner": "ada"}
    told = (await console.asked("GET /console/session", mine)).json
    assert told["caller"]["user"] == "ada"
    console.good.clear()
    assert (await console.asked("GET /v1/who", mine)).status == 401
    assert (await console.asked("GET /console/session", mine)).json["caller"] is None


async def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites() -> None:
    plain = await _Console().cookie()
    assert "httponly" in plain.lower()
    assert "samesite=strict" in plain.lower()
    secure = await _Console().cookie({**_OWN, "origin": "https://turnwire.example"})
    assert secure.startswith("__Host-turnwire_session=")
    assert "secure" in secure.lower()
    assert "path=/" in secure.lower()


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"host": "turnwire.example", "origin": "http://turnwire.example"},
        {**_OWN, "origin": "http://evil.example"},
        {**_OWN, "origin": "http://turnwire.example:81"},
        {**_OWN, "sec-fetch-site": "same-site"},
        {"host": "turnwire.example", "x-turnwire-console": "1"},
    ],
    ids=["no header", "another origin", "another port", "same site", "no origin"],
)
async def test_a_change_that_another_page_could_have_sent_is_refused(
    elsewhere: dict[str, str],
) -> None:
    console = _Console()
    cookie = _pair(await console.cookie())
    for target, body in (("POST /v1/who", b""), ("DELETE /console/session", b"")):
        refused = await console.asked(target, {**elsewhere, "cookie": cookie}, body)
        assert refused.status == 403
        assert refused.json["error"]["code"] == "origin_not_allowed"
    assert (await console.asked("POST /console/session", elsewhere, _KEY)).status == 403
    assert (await console.asked("POST /v1/who", {**_OWN, "cookie": cookie})).status == 200


async def test_behind_a_proxy_that_changes_the_host_the_browsers_word_counts() -> None:
    console = _Console()
    proxied = {**_OWN, "host": "10.0.0.1:8080", "sec-fetch-site": "same-origin"}
    cookie = _pair(await console.cookie(proxied))
    assert (await console.asked("POST /v1/who", {**proxied, "cookie": cookie})).status == 200


async def test_after_signing_out_the_cookie_is_worth_nothing() -> None:
    console = _Console()
    mine = {**_OWN, "cookie": _pair(await console.cookie())}
    gone = await console.asked("DELETE /console/session", mine)
    assert "Max-Age=0" in gone.headers["set-cookie"]
    assert (await console.asked("GET /v1/who", mine)).status == 401


async def test_who_signed_in_by_http_and_by_https_is_signed_out_of_both() -> None:
    console = _Console()
    plain = _pair(await console.cookie())
    secure = _pair(await console.cookie({**_OWN, "origin": "https://turnwire.example"}))
    await console.asked("DELETE /console/session", {**_OWN, "cookie": f"{plain}; {secure}"})
    for each in (plain, secure):
        assert (await console.asked("GET /v1/who", {**_OWN, "cookie": each})).status == 401


async def test_who_is_not_signed_in_can_fill_no_bucket_by_signing_out() -> None:
    console = _Console()
    made_up = {**_OWN, "cookie": "turnwire_session=" + "A" * 43}
    assert (await console.asked("DELETE /console/session", made_up)).status == 200
    assert not console.records.kept


@pytest.mark.parametrize("beside", ['theme={"dark":1}', "a=b c", "path=/", "flag", "ü=ü"])
async def test_cookies_of_other_programs_sign_no_user_out(beside: str) -> None:
    console = _Console()
    cookie = _pair(await console.cookie())
    mine = {**_OWN, "cookie": f"{beside}; {cookie}"}
    assert (await console.asked("GET /v1/who", mine)).status == 200


async def test_a_wrong_key_opens_no_session() -> None:
    console = _Console()
    refused = await console.asked("POST /console/session", _OWN, orjson.dumps({_FIELD: "bad"}))
    assert refused.status == 401
    assert not console.records.kept
    for wrong in ({}, {_FIELD: 1}, {_FIELD: " "}, {_FIELD: "ü"}):
        body = orjson.dumps(wrong)
        named = await console.asked("POST /console/session", _OWN, body)
        assert (named.status, named.json["error"]["param"]) == (400, _FIELD)


async def test_without_the_broker_nobody_is_taken_for_signed_out() -> None:
    console = _Console()
    mine = {**_OWN, "cookie": _pair(await console.cookie())}
    console.records.lost = True
    assert (await console.asked("GET /v1/who", mine)).status == 503


async def test_where_no_key_is_needed_everybody_is_signed_in() -> None:
    told = (await _Console(is_open=lambda: True).asked("GET /console/session")).json
    assert told["needs_key"] is False
    assert told["caller"]["user"] == "local"


async def test_every_address_below_is_the_page_and_names_its_files_as_seen_from_there() -> None:
    console = _Console()
    for path, root in (
        ("/console", "console/"),
        ("/console/", "../console/"),
        ("/console/responses/resp_1", "../../console/"),
    ):
        page = await console.asked(f"GET {path}")
        text = page.body.decode()
        names = re.findall(r'(?:src|href)="([^"]+)"', text)
        assert names
        assert all(name.startswith(f"{root}assets/") for name in names)
        assert page.headers["content-security-policy"] == POLICY
        assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=", text)
        again = {"if-none-match": page.headers["etag"]}
        assert (await console.asked(f"GET {path}", again)).status == 304


async def test_files_are_kept_for_ever_and_sent_compressed() -> None:
    console = _Console()
    page = (await console.asked("GET /console")).body.decode()
    for name in re.findall(r'"console/(assets/[^"]+)"', page):
        plain = await console.asked(f"GET /console/{name}")
        small = await console.asked(f"GET /console/{name}", {"accept-encoding": "br, gzip"})
        assert "immutable" in plain.headers["cache-control"]
        assert small.headers["content-encoding"] == "gzip"
    for gone in ("assets/index-old.js", "assets/..%2findex.html", "assets/.."):
        assert (await console.asked(f"GET /console/{gone}")).status == 404


async def test_the_bundle_is_small() -> None:
    console = _Console()
    page = (await console.asked("GET /console")).body.decode()
    total = 0
    for name in re.findall(r'"console/(assets/[^"]+)"', page):
        answer = await console.asked(f"GET /console/{name}", {"accept-encoding": "gzip"})
        total += len(answer.body)
    assert total <= 250_000

"""Who gets in: everybody on this machine until there is a key, then only who shows one."""

import asyncio
import time
from collections.abc import Generator
from pathlib import Path

import aiohttp
import pytest
from openai import AsyncOpenAI, AuthenticationError

from e2e.conftest import running
from e2e.rig.conversation import MODEL
from e2e.rig.gateway import one_more_gateway
from e2e.rig.stack import Stack
from e2e.rig.wire import Api
from scripted_backend import ScriptedBackend, says
from turnwire_testing.python_programs import turnwire

REVOKED_WITHIN_S = 30.0
"""Five are promised; the others are for a busy machine."""


OF_PAGES = [
    {"Origin": "http://evil.example", "Content-Type": "text/plain"},
    {"Host": "evil.example:8080"},
    {"Host": "10.0.0.7:8080"},
    {"Sec-Fetch-Site": "same-site"},
]
"""What only a browser sends that a web page has talked into it, or who asks by a name of DNS."""


@pytest.fixture(scope="module")
def open_stack(tmp_path_factory: pytest.TempPathFactory, backend_port: int) -> Generator[Stack]:
    """A stack as a newcomer has it: no key was ever made."""
    url = f"http://127.0.0.1:{backend_port}/v1"
    data = tmp_path_factory.mktemp("open")
    yield from running(Stack(data, keyless=True, backend_url=url))


async def keys(stack: Stack, *arguments: str) -> tuple[int, str, str]:
    """Run `turnwire keys`; gives the exit code and what it wrote."""
    ran = await turnwire(("keys", *arguments), stack.environment, Path.cwd(), REVOKED_WITHIN_S)
    return ran.exit_code, ran.printed, ran.errors


async def settles(api: Api, status: int, within: float = REVOKED_WITHIN_S) -> float:
    """Ask until the answer has that status; gives the seconds that it took."""
    began = time.monotonic()
    async with asyncio.timeout(within):
        while (await api.get("/conversations"))[0] != status:  # noqa: ASYNC110 -- a client polls
            await asyncio.sleep(0.02)
    return time.monotonic() - began


async def test_the_first_key_closes_what_was_open_and_a_revoked_one_opens_nothing(
    session: aiohttp.ClientSession, open_stack: Stack, backend: ScriptedBackend
) -> None:
    backend.script(says("Hello."), says("Hello."))
    with one_more_gateway(open_stack) as other:
        nobody = Api(session, open_stack.url, {})
        anybody = nobody.of({"Authorization": "Bearer local"})
        for api in (nobody, anybody, nobody.under(other)):
            assert (await api.get("/conversations"))[0] == 200
        assert (await anybody.post({"model": MODEL, "input": "Hello?"}))[0] == 200
        pages = [nobody.of(told) for told in OF_PAGES]
        for page in pages:
            assert (await page.post({"model": MODEL, "input": "Hello?"}))[0] == 403
            assert (await page.under(other).get("/conversations"))[0] == 403

        key = await asyncio.to_thread(open_stack.new_key, "--user", "ada", "--role", "user")
        for api in (nobody, anybody, nobody.under(other), *pages):
            await settles(api, 401)
        ada = nobody.of({"Authorization": f"Bearer {key}"})
        second = await asyncio.to_thread(open_stack.new_key, "--user", "ada", "--role", "user")
        for api in (ada, ada.under(other), ada.of({"Authorization": f"Bearer {second}"})):
            await settles(api, 200)
        assert (await ada.post({"model": MODEL, "input": "Hello?"}))[0] == 200
        for told in OF_PAGES:
            by_any_name = nobody.of({"Authorization": f"Bearer {key}", **told})
            assert (await by_any_name.get("/conversations"))[0] == 200

        key_id = f"key_{key[7:19]}"
        assert (await keys(open_stack, "revoke", key_id))[0] == 0
        await settles(ada, 401)
        await settles(ada.under(other), 401)
        assert (await ada.of({"Authorization": f"Bearer {second}"}).get("/conversations"))[0] == 200
        assert (await keys(open_stack, "revoke", f"key_{second[7:19]}"))[0] == 0
        await settles(ada.of({"Authorization": f"Bearer {second}"}), 401)
        assert (await nobody.get("/conversations"))[0] == 401

    code, listed, _ = await keys(open_stack, "list")
    assert code == 0
    assert key_id in listed
    assert key not in listed
    assert not open_stack.files_with(key)


async def test_openais_sdk_knows_what_is_wrong(stack: Stack) -> None:
    async with AsyncOpenAI(base_url=stack.url, api_key="any", max_retries=0) as client:
        with pytest.raises(AuthenticationError) as raised:
            await client.responses.create(model=MODEL, input="Hello?")
    assert raised.value.code == "invalid_api_key"
    assert raised.value.response.headers["www-authenticate"] == "Bearer"


async def test_each_sees_their_own(api: Api, stack: Stack, backend: ScriptedBackend) -> None:
    backend.script(says("Hello."))
    made = await asyncio.to_thread(
        lambda: stack.new_key("--user", "ada", "--role", "user", tenant="other")
    )
    ada = api.of({"Authorization": f"Bearer {made}"})
    await settles(ada, 200)
    _, response = await api.post({"model": MODEL, "input": "Hello?"})
    assert (await api.get(f"/responses/{response['id']}"))[0] == 200
    assert (await ada.get(f"/responses/{response['id']}"))[0] == 404


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("create", "--tenant", "a.b", "--user", "ada", "--role", "user"), "--tenant"),
        (("create", "--tenant", "acme", "--user", "", "--role", "user"), "--user"),
        (("create", "--tenant", "acme", "--user", "ada", "--role", "root"), "--role"),
        (("create", "--tenant", "acme"), "--user"),
        (("revoke", "ada"), "turnwire keys list"),
        (("revoke", "key_000000000000"), "There is no key"),
    ],
)
async def test_what_cannot_be_is_refused_with_a_reason(
    stack: Stack, arguments: tuple[str, ...], problem: str
) -> None:
    code, printed, complaint = await keys(stack, *arguments)
    assert (code, printed) == (2, "")
    assert problem in complaint

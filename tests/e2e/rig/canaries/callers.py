"""What callers do so that each of their secrets comes to where it could be kept."""

from e2e.rig.canaries.questioner import Questioner
from e2e.rig.canaries.told import CALLERS
from e2e.rig.conversation import asks
from e2e.rig.desk import Desk
from e2e.rig.wire import JSON
from scripted_backend import ScriptedBackend, calls, says

Commands = list[tuple[str, ...]]

_CREATE = "POST /responses"


async def tell_everything(
    caller: Questioner, backend: ScriptedBackend, desk: Desk, open_word: str
) -> Commands:
    """Tell every secret; gives the commands that say what came of it."""
    await _who_calls(caller)
    await _what_is_refused(caller, desk)
    await _what_is_blocked(caller, backend)
    conversation = await caller.asks(200, "POST /conversations", {"metadata": {"a": "b"}})
    # Only admins see what is deleted, so it stands in the audit log.
    await caller.asks(200, "GET /conversations?include_deleted=true")
    await _what_servers_are_told(caller, backend, desk, conversation["id"], open_word)
    return [
        ("broker-replay", conversation["id"]),
        ("audit",),
        ("audit", "--json"),
        ("keys", "list"),
    ]


def _secret(name: str) -> str:
    return CALLERS[name].secret


async def _who_calls(caller: Questioner) -> None:
    for name in ("wrong token", "JWT"):
        told = {"Authorization": f"Bearer {_secret(name)}"}
        await caller.asks(401, "GET /models", None, **told)
        await caller.asks(401, _CREATE, asks("?"), **told)
    await caller.asks(200, "GET /models", Cookie=f"session={_secret('cookie')}")
    await caller.asks(200, f"GET /models?api_key={_secret('query of a URL')}")


async def _what_is_refused(caller: Questioner, desk: Desk) -> None:
    user, query = _secret("user of an MCP URL"), _secret("query of an MCP URL that is refused")
    token = _secret("MCP authorization that is refused")
    wrong = (
        {"server_url": desk.url.replace("//", f"//me:{user}@")},
        {"server_url": f"http://10.1.2.3/mcp?token={query}"},
        {"authorization": f"{token}\n"},
        {"authorization": [token]},
        {"headers": {"X-Key": [token]}},
    )
    for fields in wrong:
        await caller.asks(400, _CREATE, asks("?", tools=[desk.tool(**fields)]))


async def _what_is_blocked(caller: Questioner, backend: ScriptedBackend) -> None:
    by_words = f"It is zz-{_secret('input that is blocked')}."
    by_model = f"[[S1]] {_secret('input that the model blocks')}"
    for text in (by_words, by_model):
        for fields in ({}, {"stream": True}, {"background": True}):
            await caller.asks(400, _CREATE, asks(text, **fields))
    item = f"zz-{_secret('item that is blocked')}"
    items: list[JSON] = [{"type": "message", "role": "user", "content": item}]
    await caller.asks(400, "POST /conversations", {"items": items})
    text = f"zz-{_secret('text that is checked')}"
    verdict = await caller.asks(200, "POST /check", {"check_type": "input", "input": text})
    assert not verdict["safe"]
    backend.script(says("Well. ", f"zz-{_secret('answer that is blocked')}", ". Bye."))
    ended = await caller.asks(200, _CREATE, asks("What?"))
    assert ended["incomplete_details"] == {"reason": "content_filter"}


async def _what_servers_are_told(
    caller: Questioner, backend: ScriptedBackend, desk: Desk, conversation: str, open_word: str
) -> None:
    secret: JSON = {
        "authorization": _secret("MCP authorization"),
        "headers": {"X-Key": _secret("MCP header")},
    }
    tools: list[JSON] = [desk.tool(**secret)]
    key = {"Idempotency-Key": _secret("Idempotency-Key")}
    body = asks(open_word, conversation=conversation, tools=tools)
    backend.script(calls("add", {"a": 1, "b": 1}), calls("explode", {"reason": "ow"}), says("2."))
    response = await caller.asks(200, _CREATE, body, **key)
    again = await caller.asks(200, _CREATE, body, **key)
    assert (again["id"], again["status"]) == (response["id"], "completed")
    backend.script(calls("add", {"a": 1, "b": 1}), says("2."))
    office: list[JSON] = [{"type": "mcp", "server_label": "office"}]
    await caller.asks(200, _CREATE, asks("?", response["id"], tools=office, stream=True))
    gone = desk.tool(**secret, server_url="http://127.0.0.1:9/mcp")
    await caller.asks(424, _CREATE, asks("?", tools=[gone]))
    one = f"GET /responses/{response['id']}"
    for path in ("", "?stream=true", "/input_items"):
        await caller.asks(200, one + path)
    for path in ("", "/items", "/responses"):
        await caller.asks(200, f"GET /conversations/{conversation}{path}")

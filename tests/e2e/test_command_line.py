"""The `turnwire` command against the running stack, with nothing but an address and a key."""

import json
import sys
import zipfile
from pathlib import Path

import aiohttp
import pytest
import yaml
from inline_snapshot import snapshot
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from e2e.rig.command import Command, keys_of
from e2e.rig.conversation import asks
from e2e.rig.desk import Desk
from e2e.rig.stack import Stack
from e2e.rig.wire import Api
from scripted_backend import ScriptedBackend, calls, overflows, says


async def test_an_answer_is_printed_as_it_comes_and_its_id_beside_it(
    turnwire: Command, backend: ScriptedBackend
) -> None:
    backend.script(says("Hel", "lo."), says("Again."))
    ran = await turnwire("ask", "Hi.", "--model", "mock-model", "--set", "temperature=0")
    assert (ran.code, ran.out) == (0, "Hello.\n")
    response_id = ran.err.split()[0]
    assert backend.requests[0].body["temperature"] == 0
    again = await turnwire("ask", "-", "--after", response_id, "-o", "json", stdin="And?")
    assert (again.code, again.json["previous_response_id"]) == (0, response_id)
    assert "Again." in json.dumps(again.json["output"])


async def test_a_turn_that_fails_ends_with_its_code_and_the_way_out(
    turnwire: Command, backend: ScriptedBackend
) -> None:
    backend.script(overflows())
    ran = await turnwire("ask", "Hi.", "-m", "mock-model")
    assert ran.code == 2
    assert "what to do: shorten it" in ran.err
    assert "turnwire explain context_length_exceeded" in ran.err


async def test_a_chat_continues_turn_by_turn(turnwire: Command, backend: ScriptedBackend) -> None:
    backend.script(says("One."), says("Two."))
    ran = await turnwire("chat", "-m", "mock-model", stdin="first\n\nsecond\n/exit\nnever\n")
    assert (ran.code, ran.out) == (0, "One.\nTwo.\n")
    assert [item.get("role") for item in backend.requests[1].body["input"]] == [
        "user",
        "assistant",
        "user",
    ]


async def test_what_a_model_says_cannot_steer_the_terminal(
    turnwire: Command, backend: ScriptedBackend
) -> None:
    backend.script(says("\x1b]0;mine\x07red"))
    ran = await turnwire("ask", "Hi.", "-m", "mock-model")
    assert ran.out == "\N{REPLACEMENT CHARACTER}]0;mine\N{REPLACEMENT CHARACTER}red\n"


async def test_a_background_response_is_watched_waited_for_cancelled_and_removed(
    turnwire: Command, backend: ScriptedBackend
) -> None:
    backend.script(says("Hel", "lo."), says("never").paused(after=0))
    begun = await turnwire("ask", "Hi.", "-m", "mock-model", "--background")
    response_id = begun.out.strip()
    assert (await turnwire("responses", "watch", response_id)).out == "Hello.\n"
    assert (await turnwire("responses", "wait", response_id, "-o", "json")).json[
        "id"
    ] == response_id
    shown = (await turnwire("responses", "get", response_id)).out
    assert f"{response_id}  completed" in shown
    assert "assistant: Hello." in shown
    other = (await turnwire("ask", "Hi.", "-m", "mock-model", "--background")).out.strip()
    await backend.saw_pause()
    assert (await turnwire("responses", "cancel", other)).out == f"{other}  cancelled\n"
    assert (await turnwire("responses", "rm", other, response_id)).out.count("deleted") == 2
    gone = await turnwire("responses", "get", other, "-o", "json")
    assert (gone.code, json.loads(gone.err)["error"]["status"]) == (5, 404)


async def test_conversations_are_listed_read_and_removed(
    turnwire: Command, api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says("Hello."))
    _, made = await api.call("POST", "/conversations", {"metadata": {"topic": "parrots"}})
    await turnwire("ask", "Hi.", "-m", "mock-model", "--conversation", made["id"])
    listed = await turnwire("conversations", "ls", "-o", "jsonl", "-n", "1")
    assert keys_of(listed.lines[0]) == snapshot(
        {"id": ..., "object": ..., "created_at": ..., "updated_at": ..., "metadata": {"topic": ...}}
    )
    assert "topic=parrots" in (await turnwire("conversations", "ls")).out
    assert "parrots" in (await turnwire("conversations", "get", made["id"])).out
    items = await turnwire("conversations", "items", made["id"])
    assert items.out == "user: Hi.\nassistant: Hello.\n"
    assert "completed" in (await turnwire("conversations", "responses", made["id"])).out
    assert (await turnwire("conversations", "rm", made["id"])).out == f"{made['id']}  deleted\n"


async def test_a_turn_with_tools_is_told_with_its_calls_and_how_long_they_took(
    turnwire: Command, api: Api, backend: ScriptedBackend, desk: Desk
) -> None:
    backend.script(calls("add", {"a": 1, "b": 2}), says("3."))
    _, response = await api.post(asks("1 + 2?", tools=[desk.tool()]))
    ran = await turnwire("log", response["id"])
    assert ran.code == 0, ran.err
    assert "tool add of desk: ok in" in ran.out
    assert "the model asked for add" in ran.out
    found = (await turnwire("log", response["id"], "-o", "json")).json
    assert found["tools"][0]["outcome"] == "ok"
    assert keys_of(found) == snapshot(
        {
            "object": ...,
            "response_id": ...,
            "status": ...,
            "model": ...,
            "background": ...,
            "request_id": ...,
            "requested_at": ...,
            "ended_at": ...,
            "duration_s": ...,
            "end": {"code": ..., "message": ...},
            "cancel_requested_by": ...,
            "samples": ...,
            "backends": [...],
            "owners": ...,
            "takeovers": [],
            "tools": [
                {
                    "item_id": ...,
                    "name": ...,
                    "server": ...,
                    "called_at": ...,
                    "duration_s": ...,
                    "outcome": ...,
                }
            ],
            "usage": {
                "input_tokens": ...,
                "output_tokens": ...,
                "cached_tokens": ...,
                "cache_write_tokens": ...,
                "reasoning_tokens": ...,
            },
            "events": [
                {
                    "object": ...,
                    "sequence": ...,
                    "type": ...,
                    "at": ...,
                    "after_s": ...,
                    "text": ...,
                }
            ],
        }
    )


async def test_a_turn_is_exported_replayed_kept_as_a_test_and_compared(
    turnwire: Command, stack: Stack, backend: ScriptedBackend
) -> None:
    backend.script(says("Hel", "lo."))
    ran = await turnwire("ask", "Hi.", "-m", "mock-model", "-o", "json")
    response_id = ran.json["id"]
    exported = await turnwire("export", response_id, "-o", "json")
    assert exported.json == {
        "file": f"{response_id}.jsonl",
        "kind": "turn",
        "id": response_id,
        "entries": 2,
    }
    text = (turnwire.folder / f"{response_id}.jsonl").read_text()
    assert stack.key not in text
    live = await turnwire("replay", response_id)
    file = await turnwire("replay", "--from-file", f"{response_id}.jsonl", TURNWIRE_URL="http://x")
    assert (live.code, live.out) == (0, file.out)
    assert "→ Closed: completed, 1 output items" in live.out
    told = (await turnwire("replay", response_id, "-o", "json")).json
    assert keys_of([{**each, "event": {}} for each in told]) == snapshot(
        [{"sequence": ..., "kind": ..., "event": {}, "state": ..., "next": ...}]
    )
    until = told[0]["sequence"]
    assert (
        len((await turnwire("replay", response_id, "--until", str(until), "-o", "jsonl")).lines)
        == 1
    )
    kept = await turnwire("import", f"{response_id}.jsonl", "--into", "recorded", "-o", "json")
    assert (kept.code, kept.json["verified"], kept.json["ids"]) == (0, True, [response_id])
    checked = await turnwire("import", "--check", "recorded", "-o", "json")
    assert (checked.code, checked.json[0]["difference"]) == (0, None)
    checkout = str(Path(__file__).parents[2])
    same = await turnwire("replay", response_id, "--against", checkout, "-o", "json")
    assert (same.code, same.json["difference"]) == (0, None)


async def test_a_conversation_is_exported_with_all_its_turns(
    turnwire: Command, api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says("One."), says("Two."))
    _, made = await api.call("POST", "/conversations", {"metadata": {"topic": "parrots"}})
    for number in range(2):
        _, response = await api.post(asks(f"{number}?", conversation=made["id"]))
        assert response["status"] == "completed"
    exported = await turnwire("export", made["id"], "--to", "c.jsonl", "-o", "json")
    assert exported.json["entries"] == 5
    read = await turnwire("import", "c.jsonl", "-o", "json")
    assert (len(read.json["ids"]), read.json["events"]) == (2, 4)


@pytest.mark.parametrize(
    ("arguments", "code", "says_"),
    [
        (("responses", "get", "resp_0123456789abcdef0123456789abcdef"), 5, "resp_0123"),
        (("responses", "get", "x", "--api-key", "tw_wrong"), 4, "invalid_api_key"),
        (("models", "--url", "http://127.0.0.1:1/v1"), 3, "cannot be reached"),
        (("replay", "msg_1"), 2, "is no id"),
        (("replay",), 2, "Say which one"),
        (("export",), 2, "--tenant"),
        (("replay", "--from-file", "nowhere"), 1, "nowhere"),
        (("ask", "Hi.", "--set", "temperature"), 2, "FIELD=JSON"),
        (("log", "x", "--model", "m"), 2, "log tail"),
        (("models", "--context", "nowhere"), 2, "no context nowhere"),
        (("explain", "contxt_length_exceeded"), 5, "Did you mean context_length_exceeded?"),
        (("models", "-o", "xml"), 2, "xml"),
    ],
)
async def test_exit_codes(
    turnwire: Command, arguments: tuple[str, ...], code: int, says_: str
) -> None:
    ran = await turnwire(*arguments)
    assert (ran.code, says_ in ran.err) == (code, True), ran


async def test_a_context_names_a_server_and_keeps_its_key_from_others(
    turnwire: Command, stack: Stack, backend: ScriptedBackend
) -> None:
    del backend
    added = await turnwire(
        "context", "add", "here", "--url", stack.url, "--api-key", "-", stdin=stack.key
    )
    assert added.code == 0, added.err
    file = turnwire.folder / "turnwire" / "contexts.json"
    assert file.stat().st_mode & 0o777 == 0o600
    nothing = {"TURNWIRE_URL": "", "TURNWIRE_API_KEY": ""}
    assert "mock-model" in (await turnwire("models", **nothing)).out
    listed = (await turnwire("context", "ls", "-o", "json")).json
    assert listed == [
        {"name": "here", "current": True, "url": stack.url, "api_key": f"…{stack.key[-4:]}"}
    ]
    file.chmod(0o644)
    refused = await turnwire("models", **nothing)
    assert (refused.code, "chmod 600" in refused.err) == (2, True)
    file.chmod(0o600)
    assert (await turnwire("context", "rm", "here")).code == 0
    assert (await turnwire("context", "use", "here")).code == 2


async def test_a_bundle_for_support_has_no_content_and_no_key(
    turnwire: Command, stack: Stack, backend: ScriptedBackend
) -> None:
    backend.script(says("My secret answer."))
    ran = await turnwire("ask", "My secret question.", "-m", "mock-model", "-o", "json")
    made = await turnwire("bundle", "-r", ran.json["id"], "-o", "json")
    assert made.code == 0, made.err
    with zipfile.ZipFile(turnwire.folder / "turnwire-bundle.zip") as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    everything = "\n".join(parts.values())
    assert "secret" not in everything
    assert stack.key not in everything
    kinds = [each["type"] for each in json.loads(parts[f"log-{ran.json['id']}.json"])]
    assert kinds == ["requested", "closed"]
    assert json.loads(parts["health.json"])["status"] == "ok"


async def test_every_form_of_output_says_the_same(
    turnwire: Command, backend: ScriptedBackend
) -> None:
    del backend
    as_json = (await turnwire("models", "-o", "json")).json
    assert as_json == (await turnwire("models", "-o", "jsonl")).lines
    assert as_json == yaml.safe_load((await turnwire("models", "-o", "yaml")).out)
    codes = (await turnwire("explain", "-o", "json")).json
    one = (await turnwire("explain", codes[0]["code"], "-o", "json")).json
    assert one == codes[0]
    assert keys_of(one) == snapshot(
        {
            "code": ...,
            "status": ...,
            "type": ...,
            "what": ...,
            "way_out": ...,
            "retryable": ...,
            "turn_exists": ...,
            "instead": ...,
        }
    )


async def test_a_turn_killed_in_mid_stream_is_explained_by_one_command(
    fragile_stack: Stack,
    backend: ScriptedBackend,
    session: aiohttp.ClientSession,
    tmp_path: Path,
) -> None:
    turnwire = Command(fragile_stack, tmp_path)
    api = Api(session, fragile_stack.url, fragile_stack.bearer)
    backend.script(says("half ", "never").paused(after=1), says("whole"))
    async with api.stream(asks("Talk.")) as stream:
        response_id = (await stream.until("response.created"))["response"]["id"]
        await stream.until("response.output_text.delta")
        fragile_stack.kill("orchestrator")
        await stream.to_the_end()
    ran = await turnwire("log", response_id)
    assert ran.code == 0
    assert f"{response_id}: completed after" in ran.out
    assert "owners: 2, of which 1 died or fell silent" in ran.out
    assert "1 item abandoned, of which 5 characters stay" in ran.out
    followed = await turnwire("log", response_id, "-f", "-o", "jsonl")
    assert [each["type"] for each in followed.lines] == ["requested", "taken_over", "closed"]
    fragile_stack.wait_until_back("orchestrator")


async def test_an_agent_reads_turns_as_tools_and_can_change_nothing(
    turnwire: Command, stack: Stack, backend: ScriptedBackend
) -> None:
    backend.script(says("Hello."))
    ran = await turnwire("ask", "Hi.", "-m", "mock-model", "-o", "json")
    response_id = ran.json["id"]
    served = StdioServerParameters(
        command=sys.executable,
        args=["-m", "turnwire_cli", "mcp"],
        env={"TURNWIRE_URL": stack.url, "TURNWIRE_API_KEY": stack.key},
    )
    async with Client(stdio_client(served)) as agent:
        tools = (await agent.list_tools()).tools
        assert {tool.name for tool in tools} >= {"explain_turn", "get_prompt", "list_responses"}
        assert all(tool.annotations and tool.annotations.read_only_hint for tool in tools)
        told = await agent.call_tool("explain_turn", {"response_id": response_id})
        assert told.structured_content is not None
        assert told.structured_content["status"] == "completed"
        refused = await agent.call_tool("get_response", {"response_id": "resp_0"})
        assert refused.is_error

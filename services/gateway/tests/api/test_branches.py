"""`/v1/responses/{response_id}/fork` and `…/rerun`: what a new response takes over, and changes."""

from typing import Any

import pytest

from turnwire_contracts.events import Requested
from turnwire_contracts.json_values import JSON
from turnwire_gateway.api.requests.branch_requests import check_credentials
from turnwire_gateway.auth.caller import LOCAL
from turnwire_gateway.errors import ApiError
from turnwire_gateway.openapi.branch_answers import ResponseDiff
from turnwire_testing.asgi import Exchange
from turnwire_testing.examples import mcp_call as waiting_call
from turnwire_testing.examples import (
    message,
    requested,
    sampled,
    tool_called,
    tool_returned,
    tools_listed,
)
from turnwire_testing.gateway import Api, error_of

SETTINGS: JSON = {"temperature": 0.5, "instructions": "Be kind.", "metadata": {"topic": "x"}}
BRANCHES = ("fork", "rerun")
each_branch = pytest.mark.parametrize("branch_of", BRANCHES)


async def branch(api: Api, of: JSON, way: str, **changes: Any) -> Exchange:
    return await api.call("POST", f"/v1/responses/{of['id']}/{way}", changes)


async def sequences(api: Api, of: JSON) -> list[int]:
    page = (await api.get(f"/v1/responses/{of['id']}/events")).json
    return [each["sequence"] for each in page["data"]]


def refusal(exchange: Exchange, status: int) -> JSON:
    """Give an error, which must have this status and the envelope."""
    assert error_of(exchange)[0] == status, exchange.json
    return exchange.json["error"]


def last_request(api: Api) -> Requested:
    return api.log.requests[-1]


async def tool_turn(api: Api, **fields: Any) -> JSON:
    """Have a background turn whose log says that a call ended, and that another one waits."""
    api.log.busy = True
    body = {"background": True, "input": "Look!", **fields}
    response = (await api.create(**body)).json
    request = last_request(api)
    about: JSON = {"tenant": request.tenant, "response_id": request.response_id}
    await api.log.start(request)
    first, second = waiting_call(1), waiting_call(2)
    for event in (
        tools_listed(**about, items=[]),
        sampled(**about, output=[message("On it."), first, second]),
        tool_called(**about, item_ids=[first["id"], second["id"]]),
        tool_returned(**about, item_id=first["id"], output="42"),
    ):
        await api.log.append(event, None)
    await api.log.finish(request)
    api.log.busy = False
    return response


async def test_a_fork_at_the_end_continues_the_response_with_its_settings(api: Api) -> None:
    first = (await api.create(**SETTINGS)).json
    fork = (await branch(api, first, "fork", input="And?", temperature=0)).json
    last = (await sequences(api, first))[-1]
    assert fork["forked_from"] == {"response_id": first["id"], "at": last}
    assert fork["previous_response_id"] == first["id"]
    assert (fork["temperature"], fork["instructions"]) == (0, "Be kind.")
    assert fork["metadata"] == {"topic": "x"}
    assert [item["content"] for item in last_request(api).input] == ["And?"]
    again = (await api.get(f"/v1/responses/{fork['id']}")).json
    assert again == fork


async def test_a_fork_in_the_middle_keeps_what_tools_said_by_then(api: Api) -> None:
    before = (await api.create()).json
    response = await tool_turn(api, previous_response_id=before["id"])
    *_, returned, _ = await sequences(api, response)
    fork = (await branch(api, response, "fork", at=returned)).json
    request = last_request(api)
    assert fork["forked_from"] == {"response_id": response["id"], "at": returned}
    assert fork["previous_response_id"] == before["id"]
    kinds = [item["type"] for item in request.input]
    assert kinds == ["message", "message", "mcp_call", "mcp_call"]
    assert [item["status"] for item in request.input[2:]] == ["completed", "failed"]
    assert request.forked_from is not None
    assert request.forked_from.rounds == 3
    items = (await api.get(f"/v1/responses/{fork['id']}/input_items?order=asc")).json["data"]
    assert [item["type"] for item in items] == kinds


async def test_a_fork_at_the_first_event_asks_the_same_again(api: Api) -> None:
    response = await tool_turn(api)
    first, *_ = await sequences(api, response)
    fork = (await branch(api, response, "fork", at=first, input="Now!")).json
    assert fork["previous_response_id"] is None
    assert [item["content"] for item in last_request(api).input] == ["Look!", "Now!"]


@pytest.mark.parametrize("at", [1, 10**9])
async def test_an_event_that_the_response_does_not_have_is_refused_by_name(
    api: Api, at: int
) -> None:
    first = (await api.create()).json
    other = (await api.create()).json
    at = (await sequences(api, other))[0] if at == 1 else at
    exchange = await branch(api, first, "fork", at=at)
    error = refusal(exchange, 400)
    assert (error["code"], error["param"]) == ("invalid_value", "at")
    assert str((await sequences(api, first))[-1]) in error["message"]


@pytest.mark.parametrize("at", [0, -1, "1", 1.5, True, [1]])
async def test_an_event_is_named_by_a_number(api: Api, at: Any) -> None:
    first = (await api.create()).json
    assert refusal(await branch(api, first, "fork", at=at), 400)["param"] == "at"


async def test_a_rerun_asks_the_same_on_the_same_history(api: Api) -> None:
    before = (await api.create()).json
    first = (await api.create(previous_response_id=before["id"], **SETTINGS)).json
    again = (await branch(api, first, "rerun")).json
    assert again["rerun_of"] == first["id"]
    assert "forked_from" not in again
    same = ("previous_response_id", "instructions", "temperature", "metadata", "model", "output")
    assert [_nameless(again[name]) for name in same] == [_nameless(first[name]) for name in same]
    assert last_request(api).input == api.log.requests[-2].input


async def test_a_rerun_may_be_asked_something_else(api: Api) -> None:
    first = (await api.create(input="Hello?", max_output_tokens=7)).json
    changed = {"input": "Bye?", "model": "n", "instructions": "", "max_tokens": 9}
    again = (await branch(api, first, "rerun", **changed)).json
    assert (again["model"], again["instructions"]) == ("n", "")
    assert again["max_output_tokens"] == 9
    assert [item["content"] for item in last_request(api).input] == ["Bye?"]


async def test_a_rerun_of_a_fork_repeats_its_rounds(api: Api) -> None:
    response = await tool_turn(api)
    *_, returned, _ = await sequences(api, response)
    fork = (await branch(api, response, "fork", at=returned)).json
    again = (await branch(api, fork, "rerun")).json
    assert (again["forked_from"], again["rerun_of"]) == (fork["forked_from"], fork["id"])
    assert last_request(api).input == api.log.requests[-2].input


@each_branch
async def test_a_conversation_goes_on_from_where_it_was(api: Api, branch_of: str) -> None:
    conversation = await api.converse()
    first = await api.say("One", conversation=conversation)
    second = await api.say("Two", conversation=conversation)
    made = (await branch(api, second, branch_of, input="Three")).json
    assert made["conversation"] is None
    assert made["previous_response_id"] == (second if branch_of == "fork" else first)["id"]
    assert api.last_of(conversation) == second["id"]


@each_branch
async def test_how_the_answer_is_delivered_is_said_anew(api: Api, branch_of: str) -> None:
    first = (await api.create(background=True)).json
    plain = await branch(api, first, branch_of, input="x")
    assert (plain.status, plain.json["background"]) == (200, False)
    queued = await branch(api, first, branch_of, input="x", background=True)
    assert (queued.status, queued.json["background"]) == (202, True)
    streamed = await branch(api, first, branch_of, input="x", stream=True)
    assert streamed.body.endswith(b"data: [DONE]\n\n")
    assert b'"response.completed"' in streamed.body


@each_branch
async def test_what_came_before_is_said_by_the_path_alone(api: Api, branch_of: str) -> None:
    first = (await api.create()).json
    for name in ("previous_response_id", "conversation"):
        error = refusal(await branch(api, first, branch_of, **{name: first["id"]}), 400)
        assert (error["code"], error["param"]) == ("unsupported_parameter", name)


@each_branch
@pytest.mark.parametrize(
    ("name", "value"), [("temperature", 3), ("model", ""), ("input", 7), ("tools", {})]
)
async def test_a_wrong_value_is_refused_by_name(
    api: Api, branch_of: str, name: str, value: Any
) -> None:
    first = (await api.create()).json
    made = len(api.log.requests)
    error = refusal(await branch(api, first, branch_of, **{name: value}), 400)
    assert error["param"] == name
    assert len(api.log.requests) == made


@each_branch
async def test_only_who_made_a_response_makes_others_of_it(api: Api, branch_of: str) -> None:
    first = (await api.create()).json
    path = f"/v1/responses/{first['id']}/{branch_of}"
    tenant = LOCAL.tenant
    for who in (f"{tenant}/bob", f"{tenant}/ann/admin", "acme/local"):
        exchange = await api.call("POST", path, {}, authorization=f"Bearer {who}")
        assert refusal(exchange, 404)["code"] == "response_not_found"


@each_branch
async def test_what_is_deleted_or_was_never_there_has_no_branches(api: Api, branch_of: str) -> None:
    first = (await api.create()).json
    await api.call("DELETE", f"/v1/responses/{first['id']}")
    unstored = (await api.create(store=False)).json
    for gone in (first, unstored, {"id": "resp_019a0000000000000000000000000009"}, {"id": "x"}):
        exchange = await branch(api, gone, branch_of)
        assert refusal(exchange, 404)["code"] == "response_not_found"


@each_branch
async def test_an_empty_body_changes_nothing(api: Api, branch_of: str) -> None:
    first = (await api.create()).json
    exchange = await api.call("POST", f"/v1/responses/{first['id']}/{branch_of}")
    assert exchange.status == 200


@each_branch
async def test_a_key_makes_one_response_of_one_response(api: Api, branch_of: str) -> None:
    first, second = (await api.create()).json, (await api.create()).json
    paths = [f"/v1/responses/{each['id']}/{branch_of}" for each in (first, second)]
    key = {"idempotency-key": "k1"}
    made = await api.call("POST", paths[0], {"input": "x"}, **key)
    again = await api.call("POST", paths[0], {"input": "x"}, **key)
    assert made.json["id"] == again.json["id"]
    for path, body in ((paths[0], {"input": "y"}), (paths[1], {"input": "x"})):
        exchange = await api.call("POST", path, body, **key)
        assert refusal(exchange, 409)["code"] == "idempotency_key_reused"


async def test_a_diff_says_what_differs_and_nothing_else(api: Api) -> None:
    first = (await api.create(**SETTINGS)).json
    api.now += 1000
    again = (await branch(api, first, "rerun", instructions="Be brief.", temperature=0)).json
    diff = (await api.get(f"/v1/responses/{first['id']}/diff?with={again['id']}")).json
    assert (diff["object"], diff["before"], diff["after"]) == (
        "response.diff",
        first["id"],
        again["id"],
    )
    assert diff["request"] == [
        {"field": "rerun_of", "before": None, "after": first["id"]},
        {"field": "temperature", "before": 0.5, "after": 0},
    ]
    assert diff["instructions"]["unified"].splitlines()[-2:] == ["-Be kind.", "+Be brief."]
    assert [row["change"] for row in diff["input"] + diff["output"]] == ["same", "same"]
    assert diff["text"] == {"equal": True, "unified": None}
    assert diff["end"]["equal"]
    assert diff["timings"]["after"]["created_at"] - diff["timings"]["before"]["created_at"] == 1
    ResponseDiff.model_validate(diff)


async def test_a_diff_sets_items_side_by_side(api: Api) -> None:
    first = await tool_turn(api)
    second = (await api.create(input="Look?")).json
    diff = (await api.get(f"/v1/responses/{first['id']}/diff?with={second['id']}")).json
    assert [row["change"] for row in diff["input"]] == ["replaced"]
    assert [row["change"] for row in diff["output"]] == ["removed"] * 3 + ["same"]
    assert not diff["text"]["equal"]
    ResponseDiff.model_validate(diff)


async def test_a_diff_needs_two_responses_of_the_caller(api: Api) -> None:
    first = (await api.create()).json
    path = f"/v1/responses/{first['id']}/diff"
    assert refusal(await api.get(path), 400)["param"] == "with"
    others = await api.call(
        "POST", "/v1/responses", {"model": "m", "input": "x"}, authorization="acme/bob"
    )
    for other in ("x", "resp_019a0000000000000000000000000009", others.json["id"]):
        assert refusal(await api.get(f"{path}?with={other}"), 404)["code"] == "response_not_found"


def test_credentials_that_are_not_kept_must_be_sent_again() -> None:
    tool = {"type": "mcp", "server_label": "shop", "server_url": "https://shop.example/mcp"}
    of = requested(params={"tools": [tool]}, seals={"shop": "sealed"})
    with pytest.raises(ApiError) as refused:
        check_credentials(requested(params={"tools": [{"type": "function"}, tool]}), of)
    assert refused.value.failure.param == "tools[1]"
    check_credentials(requested(params={"tools": [tool]}, seals={"shop": "anew"}), of)
    check_credentials(requested(), of)


def _nameless(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return [{name: each for name, each in item.items() if name != "id"} for item in value]  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]

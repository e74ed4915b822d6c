"""`/v1/responses/input_tokens` and `…/compact`: how long a past is, and a shorter one."""

from typing import Any

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from turnwire_contracts.events import Failure, Requested
from turnwire_contracts.ids import is_response_id
from turnwire_contracts.json_values import JSON
from turnwire_contracts.queries import BACKEND_INPUT_TOKENS, InputTokenCount, Refusal
from turnwire_contracts.turn_state import Erased, NotRequested
from turnwire_contracts.wire.refusals import previous_not_found
from turnwire_gateway.auth.caller import LOCAL
from turnwire_testing.examples import OTHER_ID, user
from turnwire_testing.gateway import Api, error_of

COUNT: JSON = {"model": "m", "input": "Hello?"}


class Counter:
    """An orchestrator that counts; remembers what it was asked."""

    def __init__(self, answer: InputTokenCount | Refusal) -> None:
        """Count like this."""
        self.asked: list[Requested] = []
        self._answer = answer

    async def start(self, client: Client) -> "Counter":
        """Listen from now on."""
        await client.subscribe(BACKEND_INPUT_TOKENS.subject, cb=self._on_question)
        await client.flush()
        return self

    async def _on_question(self, message: Msg) -> None:
        self.asked.append(BACKEND_INPUT_TOKENS.decode_question(message.data))
        await message.respond(BACKEND_INPUT_TOKENS.encode_answer(self._answer))


async def count(api: Api, **fields: Any) -> Any:
    """Count the tokens of a request."""
    return await api.call("POST", "/v1/responses/input_tokens", {**COUNT, **fields})


@pytest.mark.parametrize("estimated", [False, True])
async def test_tokens_are_counted_and_nothing_is_made(
    api: Api, client: Client, *, estimated: bool
) -> None:
    counter = await Counter(InputTokenCount(7, estimated)).start(client)
    counted = await count(api, instructions="Be brief.")
    assert (counted.status, counted.json) == (
        200,
        {"object": "response.input_tokens", "input_tokens": 7, "estimated": estimated},
    )
    (asked,) = counter.asked
    assert (asked.instructions, asked.input, asked.owner) == (
        "Be brief.",
        [user("Hello?")],
        LOCAL.owner,
    )
    assert isinstance(api.log.turn(LOCAL.tenant, asked.response_id), NotRequested)


async def test_what_a_conversation_says_counts_too(api: Api, client: Client) -> None:
    counter = await Counter(InputTokenCount(7, estimated=False)).start(client)
    conversation = await api.converse()
    said = await api.say("a", conversation=conversation)
    api.log.busy = True
    await api.say("b", conversation=conversation, background=True)
    assert (await count(api, conversation=conversation)).status == 200
    assert counter.asked[0].previous_response_id == said["id"]


async def test_references_count_as_what_they_stand_for(api: Api, client: Client) -> None:
    counter = await Counter(InputTokenCount(7, estimated=False)).start(client)
    said = (await api.say("a"))["output"][0]
    await count(api, input=[{"type": "item_reference", "id": said["id"]}])
    assert counter.asked[0].input == [said]


async def test_what_cannot_be_counted_is_refused_in_the_words_of_who_knows(
    api: Api, client: Client
) -> None:
    await Counter(Refusal(previous_not_found(OTHER_ID))).start(client)
    exchange = await count(api, previous_response_id=OTHER_ID)
    assert error_of(exchange) == (404, "previous_response_not_found")


async def test_a_failing_counter_may_be_asked_again(api: Api, client: Client) -> None:
    await Counter(Refusal(Failure(502, "server_error", "backend_error", "Broken."))).start(client)
    exchange = await count(api)
    assert error_of(exchange) == (502, "backend_error")
    assert "x-should-retry" not in exchange.headers


async def test_without_an_orchestrator_nothing_is_counted(api: Api) -> None:
    assert error_of(await count(api)) == (503, "orchestrator_unavailable")


@pytest.mark.parametrize(
    ("fields", "param"),
    [({"temperature": 9}, "temperature"), ({"model": None}, "model"), ({"input": []}, "input")],
)
async def test_a_count_of_what_could_not_be_asked_is_refused(
    api: Api, fields: JSON, param: str
) -> None:
    exchange = await count(api, **fields)
    assert exchange.status == 400
    assert exchange.json["error"]["param"] == param


async def test_a_compaction_is_one_answer_and_leaves_nothing(api: Api) -> None:
    response = await api.say("a")
    body = {
        "model": "m",
        "previous_response_id": response["id"],
        "instructions": "Be brief.",
        "prompt_cache_key": "k",
    }
    exchange = await api.call("POST", "/v1/responses/compact", body)
    assert (exchange.status, exchange.json["object"]) == (200, "response.compaction")
    asked = api.log.requests[-1]
    assert is_response_id(exchange.json["id"])
    assert (asked.compact, asked.store, asked.input) == (True, False, [])
    assert (asked.previous_response_id, asked.instructions) == (response["id"], "Be brief.")
    assert asked.params == {"prompt_cache_key": "k"}
    assert isinstance(api.log.turn(LOCAL.tenant, asked.response_id), Erased)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "input"),
        ({"input": []}, "input"),
        ({"input": "a", "model": ""}, "model"),
        ({"input": "a", "model": None}, "model"),
        ({"previous_response_id": 3}, "previous_response_id"),
        ({"input": [{"role": "nobody", "content": "x"}]}, "input[0].role"),
    ],
)
async def test_a_compaction_that_cannot_be_is_refused_by_its_field(
    api: Api, fields: JSON, param: str
) -> None:
    exchange = await api.call("POST", "/v1/responses/compact", {"model": "m", **fields})
    assert exchange.status == 400
    assert exchange.json["error"]["param"] == param
    assert api.log.requests == []


async def test_a_compaction_of_what_can_be_no_response_is_refused(api: Api) -> None:
    body = {"model": "m", "previous_response_id": "resp_x"}
    exchange = await api.call("POST", "/v1/responses/compact", body)
    assert error_of(exchange) == (404, "previous_response_not_found")


async def test_a_compaction_that_was_changed_is_refused(api: Api) -> None:
    exchange = await api.create(input=[{"type": "compaction", "encrypted_content": "twc1.AAAA"}])
    assert error_of(exchange) == (400, "invalid_value")
    assert exchange.json["error"]["param"] == "input[0].encrypted_content"

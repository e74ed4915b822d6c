"""`/v1/conversations`: begun, listed, renamed, deleted, restored; what is said in them."""

from typing import Any

import orjson
import pytest
from openai.types.conversations import Conversation

from turnwire_contracts.ids import ConversationId, ResponseId, is_conversation_id
from turnwire_contracts.json_values import JSON
from turnwire_contracts.notices.queue_state import LevelState, QueueState
from turnwire_contracts.queues import LEVELS
from turnwire_contracts.turn_state import Erased
from turnwire_gateway.auth.caller import LOCAL
from turnwire_testing.examples import AT, user
from turnwire_testing.gateway import LIMIT, Api, error_of


def at(conversation: str, rest: str = "") -> str:
    """Give a route of a conversation."""
    return f"/v1/conversations/{conversation}{rest}"


def texts(items: list[JSON]) -> list[str]:
    """Give the text of each message."""
    return [item["content"][0]["text"] for item in items]


async def all_items(api: Api, conversation: str, order: str, limit: int) -> list[JSON]:
    """Turn the pages of a conversation's items."""
    items: list[JSON] = []
    page: JSON = {"has_more": True}
    while page["has_more"]:
        after = f"&after={items[-1]['id']}" if items else ""
        target = at(conversation, f"/items?order={order}&limit={limit}{after}")
        page = (await api.get(target)).json
        items += page["data"]
    return items


async def test_a_conversation_begins_with_or_without_a_body(api: Api) -> None:
    bare = (await api.call("POST", "/v1/conversations")).json
    begun = (await api.call("POST", "/v1/conversations", {"metadata": {"topic": "x"}})).json
    Conversation.model_validate(begun)
    assert is_conversation_id(begun["id"])
    assert begun == {
        "id": begun["id"],
        "object": "conversation",
        "created_at": AT // 1000,
        "updated_at": AT // 1000,
        "metadata": {"topic": "x"},
    }
    assert bare["metadata"] == {}
    assert (await api.get(at(begun["id"]))).json == begun


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"metadata": {"k" * 65: "v"}}, "metadata"),
        ({"metadata": {"k": "v" * 513}}, "metadata"),
        ({"metadata": {str(n): "v" for n in range(17)}}, "metadata"),
        ({"metadata": "x"}, "metadata"),
        ({"items": "Hello?"}, "items"),
        ({"items": [user("x")] * 21}, "items"),
        ({"items": [{"role": "nobody", "content": "x"}]}, "items[0].role"),
        ({"items": [3]}, "items[0]"),
    ],
)
async def test_a_conversation_that_cannot_be_is_refused_and_none_begins(
    api: Api, body: JSON, param: str
) -> None:
    exchange = await api.call("POST", "/v1/conversations", body)
    assert error_of(exchange) == (400, "invalid_value")
    assert exchange.json["error"]["param"].startswith(param)
    assert api.log.conversations(LOCAL.tenant) == []


async def test_turns_continue_what_was_said_last(api: Api) -> None:
    conversation = await api.converse()
    api.now += 5000
    responses = [await api.say(text, conversation=conversation) for text in ("a", "b", "c")]
    before = [each.previous_response_id for each in api.log.requests]
    assert before == [None, responses[0]["id"], responses[1]["id"]]
    assert [each["conversation"] for each in responses] == [{"id": conversation}] * 3
    assert [each["previous_response_id"] for each in responses] == [None] * 3
    assert (await api.get(at(conversation))).json["updated_at"] == AT // 1000 + 5


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
async def test_items_are_all_that_was_said_in_either_order(api: Api, limit: int) -> None:
    conversation = await api.converse(items=[user("0"), user("1")])
    for text in ("2", "3", "4"):
        await api.say(text, conversation=conversation)
    items = await all_items(api, conversation, "asc", limit)
    assert texts(items) == ["0", "1", "2", "Hi.", "3", "Hi.", "4", "Hi."]
    assert await all_items(api, conversation, "desc", limit) == items[::-1]
    assert len({item["id"] for item in items}) == len(items)
    for item in items:
        assert (await api.get(at(conversation, f"/items/{item['id']}"))).json == item


async def test_an_item_after_which_nothing_can_come_is_refused(api: Api) -> None:
    conversation = await api.converse(items=[user("0")])
    for order in ("asc", "desc"):
        exchange = await api.get(at(conversation, f"/items?after=msg_x&order={order}"))
        assert error_of(exchange) == (400, "invalid_value")
        assert exchange.json["error"]["param"] == "after"


async def test_items_that_were_added_are_given_with_their_ids(api: Api) -> None:
    conversation = await api.converse()
    body = {"items": [{"role": "user", "content": "a"}, {**user("b"), "id": "msg_mine"}]}
    added = (await api.call("POST", at(conversation, "/items"), body)).json
    assert texts(added["data"]) == ["a", "b"]
    assert added["data"][1]["id"] == "msg_mine"
    assert (added["first_id"], added["has_more"]) == (added["data"][0]["id"], False)
    listed = (await api.get(at(conversation, "/items?order=asc"))).json
    assert listed == added


@pytest.mark.parametrize("body", [{}, {"items": None}, {"items": []}, {"items": [user("x")] * 21}])
async def test_one_to_twenty_items_are_added_at_a_time(api: Api, body: JSON) -> None:
    conversation = await api.converse()
    exchange = await api.call("POST", at(conversation, "/items"), body)
    assert exchange.status == 400
    assert exchange.json["error"]["param"] == "items"
    twenty = await api.call("POST", at(conversation, "/items"), {"items": [user("x")] * 20})
    assert len(twenty.json["data"]) == 20


async def test_an_item_of_a_response_can_be_added_by_its_id(api: Api) -> None:
    said = (await api.say("Hello?"))["output"][0]
    conversation = await api.converse()
    body = {"items": [{"type": "item_reference", "id": said["id"]}]}
    added = (await api.call("POST", at(conversation, "/items"), body)).json
    assert added["data"] == [said]


async def test_a_reference_to_nothing_is_not_put_into_a_conversation(api: Api) -> None:
    items = [{"type": "item_reference", "id": "msg_of_another_server"}]
    assert error_of(await api.call("POST", "/v1/conversations", {"items": items})) == (
        404,
        "item_not_found",
    )
    assert api.log.conversations(LOCAL.tenant) == []
    conversation = await api.converse()
    exchange = await api.call("POST", at(conversation, "/items"), {"items": items})
    assert error_of(exchange) == (404, "item_not_found")
    assert api.last_of(conversation) is None


async def test_an_item_that_was_taken_out_is_gone_from_the_list(api: Api) -> None:
    conversation = await api.converse(items=[user("0"), user("1")])
    first, second = await all_items(api, conversation, "asc", 10)
    removed = await api.call("DELETE", at(conversation, f"/items/{first['id']}"))
    assert (removed.status, removed.json["id"]) == (200, conversation)
    assert await all_items(api, conversation, "asc", 10) == [second]
    for method in ("GET", "DELETE"):
        gone = await api.call(method, at(conversation, f"/items/{first['id']}"))
        assert error_of(gone) == (404, "item_not_found")


async def test_a_conversation_in_which_a_turn_runs_takes_nothing_else(api: Api) -> None:
    conversation = await api.converse()
    await api.say("a", conversation=conversation)
    api.log.busy = True
    await api.say("b", conversation=conversation, background=True)
    assert error_of(await api.create(conversation=conversation)) == (409, "conversation_locked")
    added = await api.call("POST", at(conversation, "/items"), {"items": [user("x")]})
    assert error_of(added) == (409, "conversation_locked")
    for query in ("", "?hard_delete=true"):
        deleted = await api.call("DELETE", at(conversation, query))
        assert error_of(deleted) == (409, "conversation_locked")
    assert texts(await all_items(api, conversation, "asc", 10)) == ["a", "Hi."]
    await api.log.finish(api.log.requests[-1])
    api.log.busy = False
    await api.say("c", conversation=conversation)
    assert texts(await all_items(api, conversation, "asc", 10))[2:] == ["b", "Hi.", "c", "Hi."]


async def test_a_turn_that_would_wait_too_long_takes_no_place_in_its_conversation(
    api: Api,
) -> None:
    conversation = await api.converse()
    queues = api.world.turns.queues
    crowded = LevelState(waiting=5000, starts_per_s=1.0, oldest_s=20.0)
    queues.hear(QueueState("one", [crowded] * LEVELS))
    body = orjson.dumps(
        {"model": "m", "input": "Hello?", "conversation": conversation, "background": False}
    )
    for headers in ({}, {"idempotency-key": "once"}):
        assert error_of(await api.post(body, **headers)) == (503, "overloaded")
    queues.hear(QueueState("one", [LevelState()] * LEVELS))
    exchange = await api.post(body, **{"idempotency-key": "once"})
    assert exchange.status == 200, exchange.json


async def test_what_came_to_nothing_is_not_said_in_a_conversation(api: Api) -> None:
    conversation = await api.converse()
    await api.say("a", conversation=conversation)
    await api.say("secret", conversation=conversation, store=False)
    api.log.busy = True
    await api.say("b", conversation=conversation, background=True)
    await api.log.finish(api.log.requests[-1], status="failed", output=[])
    api.log.busy = False
    assert texts(await all_items(api, conversation, "asc", 10)) == ["a", "Hi."]
    await api.say("c", conversation=conversation)
    assert texts(await all_items(api, conversation, "asc", 10)) == ["a", "Hi.", "c", "Hi."]


async def test_metadata_is_replaced(api: Api) -> None:
    conversation = await api.converse(metadata={"a": "b"})
    for metadata, kept in [
        ({"c": "d"}, {"c": "d"}),
        ({}, {}),
        ({"e": "f"}, {"e": "f"}),
        (None, {}),
    ]:
        updated = await api.call("POST", at(conversation), {"metadata": metadata})
        assert (updated.status, updated.json["metadata"]) == (200, kept)
        assert (await api.get(at(conversation))).json["metadata"] == kept
    missing = await api.call("POST", at(conversation), {})
    assert error_of(missing) == (400, "missing_required_parameter")


async def test_conversations_are_listed_by_page_order_and_metadata(api: Api) -> None:
    made = [
        await api.converse(metadata={"application": "ab"[n % 2], "n": str(n)}) for n in range(5)
    ]

    async def listed(query: str) -> list[str]:
        return [each["id"] for each in (await api.get(f"/v1/conversations?{query}")).json["data"]]

    assert await listed("") == made[::-1]
    assert await listed("order=asc&limit=2&offset=1") == made[1:3]
    assert await listed("metadata.application=a&order=asc") == made[::2]
    assert await listed("metadata.application=a&metadata.n=2") == [made[2]]
    assert await listed("metadata.application=c") == []
    assert (await api.get("/v1/conversations?limit=4")).json["has_more"]
    assert not (await api.get("/v1/conversations?limit=5")).json["has_more"]


@pytest.mark.parametrize(
    "query", ["limit=0", "offset=-1", "offset=x", "order=up", "include_deleted=maybe"]
)
async def test_a_list_that_cannot_be_is_refused_by_its_parameter(api: Api, query: str) -> None:
    exchange = await api.get(f"/v1/conversations?{query}")
    assert error_of(exchange) == (400, "invalid_value")
    assert exchange.json["error"]["param"] == query.partition("=")[0]


async def test_a_deleted_conversation_takes_its_responses_with_it_and_brings_them_back(
    api: Api,
) -> None:
    conversation = await api.converse(items=[user("0")])
    first = await api.say("a", conversation=conversation)
    second = await api.say("b", conversation=conversation)
    await api.call("DELETE", f"/v1/responses/{first['id']}")
    gone = {"id": conversation, "object": "conversation.deleted", "deleted": True}
    for _ in range(2):
        deleted = await api.call("DELETE", at(conversation))
        assert (deleted.status, deleted.json) == (200, gone)
    assert error_of(await api.get(at(conversation))) == (404, "conversation_not_found")
    assert error_of(await api.get(f"/v1/responses/{second['id']}")) == (404, "response_not_found")
    shown = (await api.get(at(conversation, "?include_deleted=true"))).json
    assert shown["deleted"]
    for _ in range(2):
        back = await api.call("PATCH", at(conversation, "?recovery_from_delete=true"))
        assert (back.status, "deleted" in back.json) == (200, False)
    assert (await api.get(f"/v1/responses/{second['id']}")).json == second
    # It was deleted by itself, and stays so.
    assert error_of(await api.get(f"/v1/responses/{first['id']}")) == (404, "response_not_found")


async def test_deleting_that_was_broken_off_is_finished_by_doing_it_again(api: Api) -> None:
    conversation = await api.converse()
    response = await api.say("a", conversation=conversation)
    found = await api.call("DELETE", at(conversation))
    await api.call("PATCH", f"/v1/responses/{response['id']}?recovery_from_delete=true")
    assert found.status == 200
    assert (await api.call("DELETE", at(conversation))).status == 200
    assert api.turn(response["id"]).deleted_with_conversation


@pytest.mark.parametrize("deleted_before", [False, True])
async def test_a_conversation_that_is_deleted_for_ever_leaves_nothing(
    api: Api, *, deleted_before: bool
) -> None:
    conversation = await api.converse(items=[user("0")])
    words = api.last_of(conversation)
    response = await api.say("a", conversation=conversation)
    if deleted_before:
        await api.call("DELETE", at(conversation))
    for _ in range(2):
        assert (await api.call("DELETE", at(conversation, "?hard_delete=true"))).status == 200
    for name in (words, response["id"]):
        assert isinstance(api.log.turn(LOCAL.tenant, ResponseId(name or "")), Erased)
    assert api.log.conversation(LOCAL.tenant, ConversationId(conversation))[0] is None
    back = await api.call("PATCH", at(conversation, "?recovery_from_delete=true"))
    assert error_of(back) == (404, "conversation_not_found")


async def test_a_long_conversation_is_deleted_as_a_whole(api: Api) -> None:
    conversation = await api.converse()
    made = [(await api.say(str(n), conversation=conversation))["id"] for n in range(101)]
    await api.call("DELETE", at(conversation))
    assert [name for name in made if not api.turn(name).deleted] == []


async def test_the_tree_tells_each_response_with_what_it_descends_from(api: Api) -> None:
    conversation = await api.converse(items=[user("0")])
    made = [await api.say(text, conversation=conversation) for text in ("a", "b", "c")]
    tree = (await api.get(at(conversation, "/responses"))).json
    names = [each["id"] for each in made]
    assert [node["id"] for node in tree["data"]] == names
    assert [node["ancestor_ids"] for node in tree["data"]] == [names[:n] for n in range(3)]
    assert [node["depth"] for node in tree["data"]] == [0, 1, 2]
    assert [texts(node["request_input"]) for node in tree["data"]] == [["a"], ["b"], ["c"]]
    assert all(node.items() >= made[n].items() for n, node in enumerate(tree["data"]))
    page = (await api.get(at(conversation, f"/responses?limit=1&order=desc&after={names[2]}"))).json
    assert ([node["id"] for node in page["data"]], page["has_more"]) == ([names[1]], True)


async def test_the_tree_shows_deleted_responses_to_those_who_may_see_them(api: Api) -> None:
    conversation = await api.converse()
    made = [await api.say(text, conversation=conversation) for text in ("a", "b")]
    await api.call("DELETE", f"/v1/responses/{made[0]['id']}")

    async def shown(query: str) -> list[tuple[str, Any]]:
        tree = (await api.get(at(conversation, f"/responses{query}"))).json
        return [(node["id"], node.get("deleted")) for node in tree["data"]]

    assert await shown("") == [(made[1]["id"], None)]
    everything = [(made[0]["id"], True), (made[1]["id"], None)]
    assert await shown("?include_deleted=true") == everything


async def test_a_change_that_says_nothing_is_refused(api: Api) -> None:
    exchange = await api.call("PATCH", at(await api.converse()))
    assert error_of(exchange) == (400, "missing_required_parameter")


async def test_words_that_are_too_many_are_refused(api: Api) -> None:
    long = {"items": [user("x" * LIMIT)]}
    exchange = await api.call("POST", "/v1/conversations", long)
    assert error_of(exchange) == (413, "request_too_large")
    assert str(LIMIT) in exchange.json["error"]["message"]

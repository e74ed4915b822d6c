"""`/v1/approvals`: what waits for a person, and what follows from the person's decision."""

import asyncio
from typing import Any

import pytest

from turnwire_contracts.events import Item
from turnwire_contracts.ids import ResponseId, output_item_id
from turnwire_contracts.json_values import JSON
from turnwire_gateway.openapi.branch_answers import ApprovalList
from turnwire_testing.asgi import Exchange
from turnwire_testing.gateway import Api, error_of

TOOL: JSON = {"type": "mcp", "server_label": "shop", "server_url": "https://shop.example/mcp"}
both = pytest.mark.parametrize("approve", [True, False])


def asked(response_id: str, index: int = 0) -> Item:
    named = output_item_id(ResponseId(response_id), index, "mcp_approval_request")
    call = {"server_label": "shop", "name": "pay", "arguments": '{"n":1}'}
    return {"type": "mcp_approval_request", "id": named, **call}


async def asking(api: Api, count: int = 1, **fields: Any) -> list[str]:
    """Have a response end that asks for approvals; gives their ids."""
    api.log.busy = True
    fields = {"background": True, "input": "Pay!", "tools": [TOOL], **fields}
    response = (await api.create(**fields)).json
    api.log.busy = False
    await api.log.start(api.log.requests[-1])
    items = [asked(response["id"], index) for index in range(count)]
    await api.log.finish(api.log.requests[-1], output=items)
    return [item["id"] for item in items]


async def decide(api: Api, approval: str, *, approve: Any, **fields: Any) -> Exchange:
    headers = fields.pop("headers", {})
    body = {"approve": approve, **fields}
    return await api.call("POST", f"/v1/approvals/{approval}", body, **headers)


async def waiting(api: Api, query: str = "", **headers: str) -> list[str]:
    page = await api.get(f"/v1/approvals{query}", **headers)
    assert page.status == 200, page.json
    ApprovalList.model_validate(page.json)
    return [each["id"] for each in page.json["data"]]


async def test_what_waits_is_listed_with_what_is_asked(api: Api) -> None:
    conversation = await api.converse()
    (approval,) = await asking(api, conversation=conversation)
    page = (await api.get("/v1/approvals")).json
    (listed,) = page["data"]
    assert listed == {
        "id": approval,
        "object": "approval",
        "created_at": listed["created_at"],
        "response_id": api.log.requests[-1].response_id,
        "conversation": {"id": conversation},
        "model": "m",
        "server_label": "shop",
        "name": "pay",
        "arguments": '{"n":1}',
    }
    assert (page["first_id"], page["last_id"], page["has_more"]) == (approval, approval, False)


@both
async def test_a_decision_continues_the_response_as_its_client_would(
    api: Api, *, approve: bool
) -> None:
    (approval,) = await asking(api, instructions="Be kind.", temperature=0.5)
    of = api.log.requests[-1]
    made = await decide(api, approval, approve=approve, reason="Too dear.")
    request = api.log.requests[-1]
    assert made.json["previous_response_id"] == of.response_id
    assert (request.instructions, request.params["temperature"]) == ("Be kind.", 0.5)
    assert request.params["tools"] == of.params["tools"]
    assert request.input == [
        {
            "type": "mcp_approval_response",
            "approval_request_id": approval,
            "approve": approve,
            "reason": "Too dear.",
        }
    ]
    assert "forked_from" not in made.json
    assert await waiting(api) == []


@both
async def test_the_same_decision_is_the_same_response_and_another_is_refused(
    api: Api, *, approve: bool
) -> None:
    (approval,) = await asking(api)
    first = await decide(api, approval, approve=approve)
    again = await decide(api, approval, approve=approve)
    assert (first.status, again.json["id"]) == (200, first.json["id"])
    made = len(api.log.requests)
    for decision in ({"approve": not approve}, {"approve": approve, "reason": "Other."}):
        exchange = await api.call("POST", f"/v1/approvals/{approval}", decision)
        assert error_of(exchange) == (409, "approval_decided")
    assert len(api.log.requests) == made


async def test_of_two_decisions_at_once_one_counts(api: Api) -> None:
    (approval,) = await asking(api)
    made = await asyncio.gather(
        decide(api, approval, approve=True), decide(api, approval, approve=False)
    )
    assert sorted(each.status for each in made) == [200, 409]
    decisions = [each for each in api.log.requests if each.previous_response_id is not None]
    assert len({each.response_id for each in decisions}) == 1


async def test_what_a_client_answered_by_itself_is_decided(api: Api) -> None:
    (approval,) = await asking(api)
    of = api.log.requests[-1].response_id
    answer = {"type": "mcp_approval_response", "approval_request_id": approval, "approve": True}
    await api.create(previous_response_id=of, input=[answer])
    assert await waiting(api) == []
    assert error_of(await decide(api, approval, approve=True)) == (409, "approval_decided")


async def test_a_decision_whose_turn_failed_can_be_made_again(api: Api) -> None:
    (approval,) = await asking(api)
    api.log.busy = True
    first = await decide(api, approval, approve=True, background=True)
    api.log.busy = False
    await api.log.start(api.log.requests[-1])
    assert await waiting(api) == []
    await api.log.finish(api.log.requests[-1], status="failed", output=[])
    assert await waiting(api) == [approval]
    second = await decide(api, approval, approve=False)
    assert second.status == 200
    assert second.json["id"] != first.json["id"]
    assert await waiting(api) == []


async def test_a_decision_in_a_conversation_takes_its_next_place(api: Api) -> None:
    conversation = await api.converse()
    (approval,) = await asking(api, conversation=conversation)
    made = (await decide(api, approval, approve=True)).json
    assert made["conversation"] == {"id": conversation}
    assert api.last_of(conversation) == made["id"]


async def test_approvals_come_in_pages_the_newest_first(api: Api) -> None:
    ids = [(await asking(api))[0] for _ in range(5)]
    seen: list[str] = []
    after, more = "", True
    while more:
        page = (await api.get(f"/v1/approvals?limit=2{after}")).json
        seen += [each["id"] for each in page["data"]]
        after, more = f"&after={page['last_id']}", page["has_more"]
    assert seen == ids[::-1]


async def test_two_requests_of_one_response_are_decided_one_by_one(api: Api) -> None:
    first, second = await asking(api, 2)
    await decide(api, first, approve=True)
    assert await waiting(api) == [second]
    assert (await decide(api, second, approve=False)).status == 200
    assert await waiting(api) == []


@pytest.mark.parametrize("who", ["local/bob", "local/root/admin", "else/local"])
async def test_what_waits_for_another_is_not_there(api: Api, who: str) -> None:
    (approval,) = await asking(api)
    assert await waiting(api, authorization=who) == []
    exchange = await decide(api, approval, approve=True, headers={"authorization": who})
    assert error_of(exchange) == (404, "approval_not_found")
    assert await waiting(api) == [approval]


async def test_of_a_deleted_response_nothing_waits(api: Api) -> None:
    (approval,) = await asking(api)
    await api.call("DELETE", f"/v1/responses/{api.log.requests[-1].response_id}")
    assert await waiting(api) == []
    assert error_of(await decide(api, approval, approve=True)) == (404, "approval_not_found")


@pytest.mark.parametrize("name", ["x", "mcpr_1", "mcpr_" + "0" * 32 + "o0", "resp_" + "0" * 32])
async def test_an_unknown_approval_is_not_there(api: Api, name: str) -> None:
    assert error_of(await decide(api, name, approve=True)) == (404, "approval_not_found")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("approve", None),
        ("approve", "yes"),
        ("approve", 1),
        ("reason", 7),
        ("reason", "x" * 1001),
        ("temperature", 9),
        ("input", "Hi"),
        ("stream", True),
        ("previous_response_id", "resp_1"),
        ("store", False),
    ],
)
async def test_a_wrong_decision_is_refused_by_name(api: Api, field: str, value: Any) -> None:
    (approval,) = await asking(api)
    made = len(api.log.requests)
    body = {"approve": True, field: value}
    exchange = await api.call("POST", f"/v1/approvals/{approval}", body)
    assert (exchange.status, exchange.json["error"]["param"]) == (400, field)
    assert len(api.log.requests) == made


@pytest.mark.parametrize(("query", "param"), [("limit=0", "limit"), ("after=x", "after")])
async def test_a_wrong_page_is_refused_by_name(api: Api, query: str, param: str) -> None:
    exchange = await api.get(f"/v1/approvals?{query}")
    assert (exchange.status, exchange.json["error"]["param"]) == (400, param)

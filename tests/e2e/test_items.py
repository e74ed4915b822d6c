"""Items of responses by themselves: listed page by page, and referred to by later requests."""

import pytest

from e2e.rig.conversation import asks, heard, said_in
from e2e.rig.wire import JSON, Api
from scripted_backend import ScriptedBackend, calls, says, thinks

NO_SUCH_ID = "resp_0123456789abcdef0123456789abcdef"
TOOL: JSON = {"type": "function", "name": "add", "parameters": {"type": "object"}}


def refers_to(*item_ids: str) -> list[JSON]:
    """An input of references, and a question about them."""
    references = [{"type": "item_reference", "id": item_id} for item_id in item_ids]
    return [*references, {"role": "user", "content": "Well?"}]


async def input_items(api: Api, response_id: str, query: str = "") -> JSON:
    """List the input items of a response."""
    status, page = await api.get(f"/responses/{response_id}/input_items{query}")
    assert (status, page["object"]) == (200, "list"), page
    return page


async def test_the_input_of_a_response_is_listed_as_its_own_items(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says("Hello."), says("Yes."))
    _, first = await api.post(asks("Hi."))
    parts = [{"type": "input_text", "text": "Look: "}, {"type": "input_image", "image_url": "x:y"}]
    given: list[JSON] = [
        {"role": "developer", "content": "Be kind."},
        {"role": "user", "content": parts},
        {"type": "message", "role": "user", "content": "Mine.", "id": "msg_mine"},
    ]
    _, second = await api.post(asks(given, first["id"]))
    (asked,) = (await input_items(api, first["id"]))["data"]
    assert (asked["role"], asked["content"]) == ("user", [{"type": "input_text", "text": "Hi."}])
    items = (await input_items(api, second["id"], "?order=asc"))["data"]
    assert [item["role"] for item in items] == ["developer", "user", "user"]
    assert items[1]["content"] == parts
    assert items[2]["id"] == "msg_mine"
    assert all(item["id"].startswith("msg_") for item in items)
    assert {item["status"] for item in items} == {"completed"}


async def test_input_items_are_listed_page_by_page_in_both_orders(
    api: Api, backend: ScriptedBackend
) -> None:
    given = [{"role": "user", "content": str(number)} for number in range(25)]
    _, response = await api.post(asks(given))
    default = await input_items(api, response["id"])
    texts = [item["content"][0]["text"] for item in default["data"]]
    assert texts == [str(number) for number in range(24, 4, -1)]
    assert (default["first_id"], default["last_id"], default["has_more"]) == (
        default["data"][0]["id"],
        default["data"][-1]["id"],
        True,
    )
    for order in ("asc", "desc"):
        listed: list[JSON] = []
        more, after = True, ""
        while more:
            query = f"?limit=10&order={order}{after}"
            page = await input_items(api, response["id"], query)
            listed += page["data"]
            more, after = page["has_more"], f"&after={page['last_id']}"
        numbers = [item["content"][0]["text"] for item in listed]
        expected = [str(number) for number in range(25)]
        assert numbers == (expected if order == "asc" else expected[::-1])
    assert len(backend.requests) == 1


@pytest.mark.parametrize(
    ("query", "param"),
    [("limit=0", "limit"), ("limit=101", "limit"), ("order=up", "order"), ("after=x", "after")],
)
async def test_a_wrong_page_is_refused_by_its_name(
    api: Api, backend: ScriptedBackend, query: str, param: str
) -> None:
    backend.script(says("Hello."))
    _, response = await api.post(asks("Hi."))
    status, refused = await api.get(f"/responses/{response['id']}/input_items?{query}")
    assert (status, refused["error"]["param"]) == (400, param)


async def test_the_input_of_an_unknown_response_is_not_found(api: Api) -> None:
    status, refused = await api.get(f"/responses/{NO_SUCH_ID}/input_items")
    assert (status, refused["error"]["code"]) == (404, "response_not_found")


async def test_the_input_of_a_running_response_is_listed(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says("Hel", "lo.").paused(after=1))
    async with api.stream(asks("Hi.")) as stream:
        created = await stream.until("response.created")
        items = (await input_items(api, created["response"]["id"]))["data"]
        assert [item["content"][0]["text"] for item in items] == ["Hi."]
        await backend.saw_pause()
        backend.release()
        await stream.to_the_end()


async def test_items_of_any_response_are_referred_to_by_their_ids(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says("Berlin."), says("Paris."), says("Well."))
    _, one = await api.post(asks("Germany?"))
    _, other = await api.post(asks("France?"))
    (asked,) = (await input_items(api, one["id"]))["data"]
    body = asks(refers_to(asked["id"], one["output"][0]["id"], other["output"][0]["id"]))
    status, response = await api.post(body)
    assert status == 200
    told = [("user", "Germany?"), ("assistant", "Berlin."), ("assistant", "Paris.")]
    assert heard(backend) == [*told, ("user", "Well?")]
    backend.script(says("On."))
    await api.post(asks("Go on.", response["id"]))
    assert heard(backend) == [
        *told,
        ("user", "Well?"),
        ("assistant", "Well."),
        ("user", "Go on."),
    ]


async def test_a_reference_to_what_the_history_has_says_nothing_twice(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says("Berlin."), says("Well."))
    _, first = await api.post(asks("Germany?"))
    await api.post(asks(refers_to(first["output"][0]["id"]), first["id"]))
    assert [said for _, said in heard(backend)] == ["Germany?", "Berlin.", "Well?"]


async def test_a_call_is_referred_to_and_answered(api: Api, backend: ScriptedBackend) -> None:
    backend.script(thinks("hm") + calls("add", {"a": 1}), says("One."))
    _, asked = await api.post(asks("Sum?", tools=[TOOL]))
    call = asked["output"][-1]
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": "1"}
    references = [{"id": item["id"]} for item in asked["output"]]
    status, _ = await api.post(asks([*references, output], tools=[TOOL]))
    assert status == 200
    kinds = [who for who, _ in said_in(backend.requests[-1])]
    assert kinds == ["reasoning", "function_call", "function_call_output"]


@pytest.mark.parametrize("background", [False, True])
@pytest.mark.parametrize(
    "item_id", ["msg_unknown", "msg_0123456789abcdef0123456789abcdefo0", "*", "resp_1"]
)
async def test_a_reference_to_an_unknown_item_is_not_found(
    api: Api, backend: ScriptedBackend, item_id: str, *, background: bool
) -> None:
    status, answer = await api.post(asks(refers_to(item_id), background=background))
    if status == 202:
        answer = await api.ended(answer["id"])
    else:
        assert status == 404
    assert answer["error"]["code"] == "item_not_found"
    assert item_id in answer["error"]["message"]
    assert len(backend.requests) == 0


async def test_items_of_what_is_not_stored_cannot_be_referred_to(
    api: Api, backend: ScriptedBackend
) -> None:
    backend.script(says("Secret."))
    _, response = await api.post(asks("Tell.", store=False))
    status, refused = await api.post(asks(refers_to(response["output"][0]["id"])))
    assert (status, refused["error"]["code"]) == (404, "item_not_found")
    assert refused["error"]["param"] == "input"

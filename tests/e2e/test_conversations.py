"""Conversations as objects: made, listed, renamed, deleted, brought back; their items and tree."""

import itertools
from typing import Any

import pytest

from e2e.rig.conversation import asks, heard
from e2e.rig.remains import nothing_says
from e2e.rig.spoken import begin, items_of, say_in, texts_in
from e2e.rig.stack import Stack
from e2e.rig.wire import JSON, Api
from scripted_backend import ScriptedBackend, says

NO_SUCH_ID = "conv_0123456789abcdef0123456789abcdef"

_projects = (f"project {number}" for number in itertools.count())


def message(text: str, role: str = "user") -> JSON:
    """An item to put into a conversation."""
    return {"type": "message", "role": role, "content": text}


async def test_a_conversation_begins_with_nothing_or_with_items_and_metadata(api: Api) -> None:
    for body in (b"", b"{}", b'{"metadata": null, "items": null}'):
        status, empty = await api.call("POST", "/conversations", body)
        assert (status, empty["metadata"]) == (200, {})
        assert empty["created_at"] == empty["updated_at"]
        assert await items_of(api, empty) == []
    items = [message("Be kind.", "developer"), {"role": "user", "content": "Hi."}]
    begun = await begin(api, items=items, metadata={"topic": "greeting"})
    assert begun["id"].startswith("conv_")
    assert begun["metadata"] == {"topic": "greeting"}
    assert await api.get(f"/conversations/{begun['id']}") == (200, begun)
    assert [(item["role"], item["content"]) for item in await items_of(api, begun)] == [
        ("developer", [{"type": "input_text", "text": "Be kind."}]),
        ("user", [{"type": "input_text", "text": "Hi."}]),
    ]


WRONG: dict[str, tuple[JSON, str]] = {
    "metadata that is a list": ({"metadata": []}, "metadata"),
    "too much metadata": ({"metadata": {f"k{number}": "" for number in range(17)}}, "metadata"),
    "a long key": ({"metadata": {"k" * 65: ""}}, "metadata"),
    "a long value": ({"metadata": {"k": "v" * 513}}, "metadata.k"),
    "too many items": ({"items": [message("Hi.")] * 21}, "items"),
    "an item that is none": ({"items": ["Hi."]}, "items[0]"),
    "an unknown role": ({"items": [message("Hi.", "robot")]}, "items[0].role"),
}


@pytest.mark.parametrize("case", WRONG)
async def test_a_wrong_value_is_refused_by_its_name(api: Api, case: str) -> None:
    body, param = WRONG[case]
    begun = await begin(api)
    paths = ["/conversations"]
    paths += [f"/conversations/{begun['id']}/items"] if "items" in body else []
    paths += [f"/conversations/{begun['id']}"] if "metadata" in body else []
    for path in paths:
        status, refused = await api.call("POST", path, body)
        assert status == 400, path
        assert refused["error"]["param"].startswith(param)


async def test_metadata_may_be_as_large_as_openai_allows(api: Api) -> None:
    metadata = {f"{number:064d}": "v" * 512 for number in range(16)}
    begun = await begin(api, metadata=metadata)
    assert begun["metadata"] == metadata


async def test_metadata_is_replaced_as_a_whole(api: Api) -> None:
    begun = await begin(api, metadata={"a": "1", "b": "2"})
    path = f"/conversations/{begun['id']}"
    status, updated = await api.call("POST", path, {"metadata": {"b": "3"}})
    assert (status, updated["metadata"]) == (200, {"b": "3"})
    assert updated["created_at"] == begun["created_at"]
    assert await api.get(path) == (200, updated)
    status, refused = await api.call("POST", path, {})
    assert (status, refused["error"]["param"]) == (400, "metadata")


async def test_conversations_are_listed_page_by_page(api: Api) -> None:
    project = next(_projects)
    begun = [await begin(api, metadata={"project": project, "n": str(n)}) for n in range(5)]
    path = f"/conversations?metadata.project={project}"
    for order, expected in (("desc", begun[::-1]), ("asc", begun)):
        listed: list[JSON] = []
        for offset in (0, 2, 4):
            status, page = await api.get(f"{path}&order={order}&limit=2&offset={offset}")
            assert (status, page["object"], page["has_more"]) == (200, "list", offset < 4)
            assert page["first_id"] == page["data"][0]["id"]
            assert page["last_id"] == page["data"][-1]["id"]
            listed += page["data"]
        assert listed == expected
    assert (await api.get(path))[1]["data"] == begun[::-1]
    assert (await api.get(f"{path}&metadata.n=3"))[1]["data"] == [begun[3]]
    assert (await api.get(f"{path}&metadata.n=9"))[1]["data"] == []


async def test_a_deleted_conversation_is_listed_for_those_who_ask(api: Api) -> None:
    project = next(_projects)
    begun = await begin(api, metadata={"project": project})
    await _delete(api, begun)
    path = f"/conversations?metadata.project={project}"
    assert (await api.get(path))[1]["data"] == []
    (listed,) = (await api.get(f"{path}&include_deleted=true"))[1]["data"]
    assert (listed["id"], listed["deleted"]) == (begun["id"], True)


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=many", "limit"),
        ("offset=-1", "offset"),
        ("order=random", "order"),
        ("include_deleted=perhaps", "include_deleted"),
    ],
)
async def test_a_wrong_page_is_refused_by_its_name(api: Api, query: str, param: str) -> None:
    status, refused = await api.get(f"/conversations?{query}")
    assert (status, refused["error"]["param"]) == (400, param)


ROUTES: list[tuple[str, str, Any]] = [
    ("GET", "", None),
    ("POST", "", {"metadata": {}}),
    ("PATCH", "?recovery_from_delete=true", None),
    ("GET", "/items", None),
    ("POST", "/items", {"items": [message("Hi.")]}),
    ("GET", "/items/msg_1", None),
    ("DELETE", "/items/msg_1", None),
    ("GET", "/responses", None),
]


@pytest.mark.parametrize(("method", "rest", "body"), ROUTES)
@pytest.mark.parametrize("conversation_id", [NO_SUCH_ID, "conv_1", "*"])
async def test_an_unknown_conversation_is_not_found(
    api: Api, conversation_id: str, method: str, rest: str, body: Any
) -> None:
    status, refused = await api.call(method, f"/conversations/{conversation_id}{rest}", body)
    assert (status, refused["error"]["code"]) == (404, "conversation_not_found")


@pytest.mark.parametrize("conversation_id", [NO_SUCH_ID, "conv_1"])
@pytest.mark.parametrize("query", ["", "?hard_delete=true"])
async def test_a_conversation_that_is_not_there_counts_as_deleted(
    api: Api, conversation_id: str, query: str
) -> None:
    path = f"/conversations/{conversation_id}{query}"
    gone = {"id": conversation_id, "object": "conversation.deleted", "deleted": True}
    assert await api.call("DELETE", path) == (200, gone)


async def test_items_are_added_listed_shown_and_removed(api: Api) -> None:
    begun = await begin(api, items=[message("0")])
    path = f"/conversations/{begun['id']}/items"
    given = [message(str(number)) for number in range(1, 20)]
    call: JSON = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    status, added = await api.call("POST", path, {"items": [*given, call]})
    assert (status, len(added["data"]), added["has_more"]) == (200, 20, False)
    everything = await items_of(api, begun)
    assert everything[1:] == added["data"]
    assert len({item["id"] for item in everything}) == 21
    assert everything[-1].items() >= call.items()
    for item in (everything[0], everything[-1]):
        assert await api.get(f"{path}/{item['id']}") == (200, item)
    removed = everything[3]
    status, left = await api.call("DELETE", f"{path}/{removed['id']}")
    assert (status, left["id"]) == (200, begun["id"])
    assert await items_of(api, begun) == [item for item in everything if item != removed]
    for method in ("GET", "DELETE"):
        status, refused = await api.call(method, f"{path}/{removed['id']}")
        assert (status, refused["error"]["code"]) == (404, "item_not_found")


async def test_items_are_listed_page_by_page_in_both_orders(api: Api) -> None:
    begun = await begin(api, items=[message(str(number)) for number in range(4)])
    path = f"/conversations/{begun['id']}/items"
    await api.call("POST", path, {"items": [message(str(number)) for number in range(4, 7)]})
    everything = await items_of(api, begun)
    assert await items_of(api, begun, "") == everything[::-1]
    for order, expected in (("asc", everything), ("desc", everything[::-1])):
        listed: list[JSON] = []
        more, after = True, ""
        while more:
            _, page = await api.get(f"{path}?limit=3&order={order}{after}")
            listed += page["data"]
            more, after = page["has_more"], f"&after={page['last_id']}"
        assert listed == expected
    status, refused = await api.get(f"{path}?after=msg_unknown")
    assert (status, refused["error"]["param"]) == (400, "after")


async def test_a_deleted_conversation_takes_its_responses_along_and_brings_them_back(
    api: Api, backend: ScriptedBackend
) -> None:
    begun = await begin(api, items=[message("0")])
    first = await say_in(begun, api, backend, "one?", "One.")
    second = await say_in(begun, api, backend, "two?", "Two.")
    await api.call("DELETE", f"/responses/{first['id']}")
    left = await items_of(api, begun)
    path = f"/conversations/{begun['id']}"
    gone = {"id": begun["id"], "object": "conversation.deleted", "deleted": True}
    assert await _delete(api, begun) == (200, gone)
    assert await _delete(api, begun) == (200, gone)
    for rest in ("", "/items", "/responses"):
        status, refused = await api.get(path + rest)
        assert (status, refused["error"]["code"]) == (404, "conversation_not_found")
    assert (await api.get(f"/responses/{second['id']}"))[0] == 404
    status, refused = await api.post(asks("On.", conversation=begun["id"]))
    assert (status, refused["error"]["param"]) == (404, "conversation")
    assert (await api.get(f"{path}?include_deleted=true"))[1]["deleted"] is True
    status, back = await api.call("PATCH", f"{path}?recovery_from_delete=true")
    assert (status, back["id"]) == (200, begun["id"])
    assert await items_of(api, begun) == left
    assert await api.get(f"/responses/{second['id']}") == (200, second)
    # It was deleted by itself, before.
    assert (await api.get(f"/responses/{first['id']}"))[0] == 404
    await say_in(begun, api, backend, "three?", "Three.")
    assert [said for _, said in heard(backend)] == ["0", "two?", "Two.", "three?"]


async def test_a_recovery_must_be_asked_for(api: Api) -> None:
    begun = await begin(api)
    status, refused = await api.call("PATCH", f"/conversations/{begun['id']}")
    assert (status, refused["error"]["param"]) == (400, "recovery_from_delete")


async def test_a_purged_conversation_is_gone_for_ever_with_all_in_it(
    api: Api, stack: Stack, backend: ScriptedBackend
) -> None:
    begun = await begin(api, items=[message("plugh")], metadata={"project": next(_projects)})
    response = await say_in(begun, api, backend, "plover?", "Plover.")
    assert stack.files_with(begun["id"])
    assert (await _delete(api, begun, "?hard_delete=true"))[0] == 200
    path = f"/conversations/{begun['id']}"
    for method, rest in (("GET", ""), ("GET", "?include_deleted=1"), ("PATCH", _RECOVER)):
        status, refused = await api.call(method, path + rest)
        assert (status, refused["error"]["code"]) == (404, "conversation_not_found")
    assert (await api.get(f"/responses/{response['id']}?include_deleted=true"))[0] == 404
    project = begun["metadata"]["project"]
    listed = await api.get(f"/conversations?metadata.project={project}&include_deleted=true")
    assert listed[1]["data"] == []
    assert (await _delete(api, begun, "?hard_delete=true"))[0] == 200
    for words in ("plugh", "plover?", "Plover.", project):
        await nothing_says(stack, words)


async def test_a_conversation_cannot_be_deleted_while_a_response_is_created_in_it(
    api: Api, backend: ScriptedBackend
) -> None:
    begun = await begin(api)
    backend.script(says("Hel", "lo.").paused(after=1))
    async with api.stream(asks("Hi.", conversation=begun["id"])) as stream:
        await stream.until("response.output_text.delta")
        status, refused = await _delete(api, begun)
        assert (status, refused["error"]["code"]) == (409, "conversation_locked")
        await backend.saw_pause()
        backend.release()
        await stream.to_the_end()
    assert await texts_in(api, begun) == ["Hi.", "Hello."]


async def test_the_responses_of_a_conversation_are_a_tree(
    api: Api, backend: ScriptedBackend
) -> None:
    begun = await begin(api, items=[message("0")])
    first = await say_in(begun, api, backend, "one?", "One.")
    second = await say_in(begun, api, backend, "two?", "Two.")
    backend.script(says("Other."), says("Another."))
    _, branch = await api.post(asks("two, differently?", first["id"]))
    _, twig = await api.post(asks("three?", branch["id"]))
    path = f"/conversations/{begun['id']}/responses"
    nodes = (await api.until(path, lambda page: len(page["data"]) == 4))["data"]
    places = [(node["id"], node["ancestor_ids"], node["depth"]) for node in nodes]
    assert places == [
        (first["id"], [], 0),
        (second["id"], [first["id"]], 1),
        (branch["id"], [first["id"]], 1),
        (twig["id"], [first["id"], branch["id"]], 2),
    ]
    for node, response in zip(nodes, (first, second, branch, twig), strict=True):
        assert node.items() >= response.items()
    (asked,) = nodes[2]["request_input"]
    assert asked["content"] == [{"type": "input_text", "text": "two, differently?"}]
    assert await texts_in(api, begun) == ["0", "one?", "One.", "two?", "Two."]
    newest = (await api.get(f"{path}?order=desc&limit=3"))[1]
    assert (newest["data"], newest["has_more"]) == (nodes[:0:-1], True)
    oldest = (await api.get(f"{path}?order=desc&after={newest['last_id']}"))[1]
    assert (oldest["data"], oldest["has_more"]) == (nodes[:1], False)
    await api.call("DELETE", f"/responses/{second['id']}")
    left = (await api.get(path))[1]["data"]
    assert left == [nodes[0], *nodes[2:]]
    everything = (await api.get(f"{path}?include_deleted=true"))[1]["data"]
    assert [node.get("deleted", False) for node in everything] == [False, True, False, False]


_RECOVER = "?recovery_from_delete=true"


async def _delete(api: Api, conversation: JSON, query: str = "") -> tuple[int, JSON]:
    return await api.call("DELETE", f"/conversations/{conversation['id']}{query}")

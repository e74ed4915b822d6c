"""What is deleted for ever leaves no byte of content anywhere in the data folder."""

from secrets import token_hex

from e2e.rig.conversation import asks
from e2e.rig.remains import nothing_says, places, somebody_says
from e2e.rig.stack import Stack
from e2e.rig.wire import Api
from scripted_backend import ScriptedBackend, says


async def test_the_database_never_has_what_was_said_and_after_a_purge_nobody_has(
    api: Api, stack: Stack, backend: ScriptedBackend
) -> None:
    words = {name: token_hex(12) for name in ("asked", "said", "metadata", "named", "item")}
    _, conversation = await api.call(
        "POST",
        "/conversations",
        {
            "metadata": {"project": words["named"]},
            "items": [{"type": "message", "role": "user", "content": words["item"]}],
        },
    )
    backend.script(says(words["said"]))
    body = asks(words["asked"], conversation=conversation["id"], metadata={"m": words["metadata"]})
    async with api.stream(body) as stream:
        response = (await stream.to_the_end())[-1]["response"]
    listed = await api.get(f"/conversations/{conversation['id']}/responses")
    assert [node["id"] for node in listed[1]["data"]] == [response["id"]]
    for each in words.values():
        kept = await somebody_says(stack, each)
        assert {place.partition("/")[0] for place in kept} == {"nats"}

    status, _ = await api.call("DELETE", f"/conversations/{conversation['id']}?hard_delete=true")

    assert status == 200
    for each in words.values():
        await nothing_says(stack, each)
    assert places(stack, response["id"]), "its id is kept, with the fact that it is gone"

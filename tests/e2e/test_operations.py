"""What a deployment says of itself: what it is, how it is, which models it has."""

import pytest

from e2e.rig.stack import Stack
from e2e.rig.wire import Api
from scripted_backend import ScriptedBackend


@pytest.fixture
def root(api: Api, stack: Stack) -> Api:
    """The API without its version."""
    return api.under(stack.url.removesuffix("/v1"))


@pytest.mark.usefixtures("backend")
async def test_the_root_says_where_to_go(root: Api) -> None:
    status, told = await root.get("/")
    assert (status, told["name"]) == (200, "turnwire")
    assert (await root.get(told["health"]))[0] == 200


async def test_health_looks_at_everything_behind_the_gateway(
    root: Api, backend: ScriptedBackend
) -> None:
    well = {"status": "ok"}
    parts = {"broker": well, "store": well, "backend": well}
    assert await root.get("/health") == (200, {"status": "ok", **parts})
    await backend.stop()
    status, told = await root.get("/health")
    assert (status, told["status"], told["backend"]["status"]) == (503, "error", "error")
    assert told["backend"]["detail"]
    assert (told["broker"], told["store"]) == (well, well)


@pytest.mark.usefixtures("backend")
async def test_models_are_listed_and_shown_one_by_one(api: Api, root: Api) -> None:
    status, listed = await api.get("/models")
    assert (status, listed["object"]) == (200, "list")
    assert await root.get("/models") == (200, listed)
    for model in listed["data"]:
        assert await api.get(f"/models/{model['id']}") == (200, model)


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("name", ["gpt-none", "org/none", "mock-model/x"])
async def test_a_model_that_is_not_there_is_not_found(api: Api, name: str) -> None:
    status, refused = await api.get(f"/models/{name}")
    assert (status, refused["error"]["code"]) == (404, "model_not_found")
    assert "mock-model" in refused["error"]["message"]

"""Several backends as one: each model goes where it is served, and all stand in one list."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripted_backend import ScriptedBackend, running_backend, says
from turnwire_orchestrator.failures import TurnFailedError
from turnwire_orchestrator.inference.backend import HttpBackend
from turnwire_orchestrator.inference.http_client import Timeouts
from turnwire_orchestrator.inference.pool.backends import Backends
from turnwire_orchestrator.inference.pool.routing import merged, served, serving
from turnwire_orchestrator.servers import Server
from turnwire_testing.prompts import prompt

TIMEOUTS = Timeouts(connect_s=5.0, idle_s=1.0)


def lists(*names: str) -> list[dict[str, Any]]:
    """A list of models."""
    return [{"id": name, "object": "model"} for name in names]


@pytest.mark.parametrize(
    ("model", "indices"),
    [
        ("qwen3", [0, 1]),
        ("qwen2", [1]),
        ("llama", [1]),
        ("gpt-5", [2]),
        ("gpt-5-mini", [3]),
        ("o9", []),
    ],
)
def test_a_model_goes_to_those_that_name_it_or_else_to_those_that_match_it(
    model: str, indices: list[int]
) -> None:
    backends = [
        served(["qwen3"], []),
        served([], lists("qwen2", "llama", "qwen3")),
        served(["gpt-5"], []),
        served(["gpt-*", "qwen*"], []),
    ]
    assert serving(model, backends) == indices


def test_a_backend_that_is_alone_gets_everything() -> None:
    assert serving("anything", [served(["qwen3"], lists("llama"))]) == [0]
    assert serving("anything", []) == []


def test_the_operators_words_limit_what_a_backend_lists() -> None:
    backend = served(["qwen*", "secret"], lists("qwen2", "llama", "qwen3"))
    assert [entry["id"] for entry in backend.entries] == ["qwen2", "qwen3", "secret"]


def test_the_first_backend_says_what_a_model_is() -> None:
    first, second = lists("a", "b"), [{"id": "b", "owned_by": "second"}, *lists("c")]
    told = merged([served([], first), served([], second)])
    assert [entry["id"] for entry in told] == ["a", "b", "c"]
    assert told[1] == first[1]


names = st.lists(st.sampled_from(["a", "ab", "b", "bc", "c"]))
patterns = st.lists(st.sampled_from(["a", "b", "a*", "*c", "?"]))


@given(st.lists(st.tuples(patterns, names), min_size=2, max_size=4))
def test_every_model_in_the_list_has_a_backend_that_serves_it(
    told_by: list[tuple[list[str], list[str]]],
) -> None:
    told = [served(models, lists(*listed)) for models, listed in told_by]
    for entry in merged(told):
        indices = serving(entry["id"], told)
        assert indices
        assert all(entry["id"] in told[index].names for index in indices)


@asynccontextmanager
async def two(
    first: Sequence[str] = (), second: Sequence[str] = ()
) -> AsyncGenerator[tuple[ScriptedBackend, ScriptedBackend, Backends]]:
    """Two servers behind one `Backends`, with what the operator says of each."""
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(running_backend()) for _ in range(2)]
        servers[0].models, servers[1].models = ["shared", "alpha"], ["shared", "beta"]
        told = (tuple(first), tuple(second))
        backends = Backends(
            [
                HttpBackend(Server(f"b{index}", server.url, models=models), TIMEOUTS)
                for index, (server, models) in enumerate(zip(servers, told, strict=True))
            ]
        )
        stack.push_async_callback(backends.close)
        yield servers[0], servers[1], backends


async def ask(backends: Backends, model: str) -> None:
    """Sample to the end."""
    async with backends.sample(prompt(model=model)) as answering:
        async for _ in answering.reads:
            pass


async def ids(backends: Backends) -> list[str]:
    """Name the models of the merged list."""
    told = orjson.loads(await backends.models())
    assert told["object"] == "list"
    return [entry["id"] for entry in told["data"]]


async def test_each_model_is_sampled_where_it_is() -> None:
    async with two() as (first, second, backends):
        for model in ("alpha", "beta"):
            await ask(backends, model)
    assert [request.body["model"] for request in first.requests] == ["alpha"]
    assert [request.body["model"] for request in second.requests] == ["beta"]


async def test_the_first_requests_wait_for_the_lists() -> None:
    async with two() as (first, second, backends):
        await asyncio.gather(*(ask(backends, model) for model in ("alpha", "beta", "alpha")))
    assert (len(first.requests), len(second.requests)) == (2, 1)


async def test_a_model_that_matches_a_pattern_is_sampled_there() -> None:
    async with two(second=["beta", "gpt-*"]) as (first, second, backends):
        await ask(backends, "gpt-5")
    assert (len(first.requests), len(second.requests)) == (0, 1)


async def test_a_model_that_nobody_has_is_refused_with_those_that_there_are() -> None:
    async with two() as (_, _, backends):
        with pytest.raises(TurnFailedError) as raised:
            await ask(backends, "gamma")
    failure = raised.value.failure
    assert (failure.http_status, failure.code, failure.param) == (404, "model_not_found", "model")
    assert "shared, alpha, beta" in failure.message


async def test_a_model_that_came_later_is_found_when_the_list_is_read_again() -> None:
    async with two() as (first, second, backends):
        await ask(backends, "alpha")
        second.models = ["gamma"]
        await ids(backends)
        await ask(backends, "gamma")
    assert (len(first.requests), len(second.requests)) == (1, 1)


async def test_all_models_stand_in_one_list() -> None:
    async with two() as (_, _, backends):
        assert await ids(backends) == ["shared", "alpha", "beta"]


async def test_a_dead_backend_is_left_out_of_the_list_unless_all_are() -> None:
    async with two() as (first, second, backends):
        await first.stop()
        assert await ids(backends) == ["shared", "beta"]
        await second.stop()
        with pytest.raises(TurnFailedError) as raised:
            await backends.models()
    assert raised.value.failure.code == "backend_unavailable"


async def test_a_single_backend_gets_every_model_and_its_list_is_its_own() -> None:
    async with running_backend() as server:
        backends = Backends([HttpBackend(Server("only", server.url), TIMEOUTS)])
        await ask(backends, "whatever")
        assert b'"owned_by":"mock"' in await backends.models()
        await backends.close()


def remade(server: Server) -> HttpBackend:
    """Make a backend that the file names now."""
    return HttpBackend(server, TIMEOUTS)


async def test_a_server_that_the_file_no_longer_names_is_asked_no_more() -> None:
    async with two() as (first, second, backends):
        await ask(backends, "alpha")
        await backends.take([Server("b1", second.url)], remade)
        assert await ids(backends) == ["shared", "beta"]
        await ask(backends, "shared")
    assert (len(first.requests), len(second.requests)) == (1, 1)


async def test_a_server_that_is_new_in_the_file_serves_its_models_at_once() -> None:
    async with two() as (first, second, backends):
        await backends.take([Server("b0", first.url)], remade)
        await backends.take([Server("b0", first.url), Server("b1", second.url)], remade)
        await ask(backends, "beta")
    assert len(second.requests) == 1


async def test_a_turn_that_a_removed_server_answers_goes_on_to_its_end() -> None:
    async with two() as (first, second, backends):
        first.script(says("One.", "Two.").paused(after=1))
        sampling = asyncio.create_task(ask(backends, "alpha"))
        await first.saw_pause()
        await backends.take([Server("b1", second.url)], remade)
        assert not sampling.done()
        first.release()
        await sampling


async def test_servers_that_come_and_go_are_looked_at_from_then_on() -> None:
    async with two() as (first, second, backends):
        looking = asyncio.create_task(backends.keep_looking())
        await backends.take([Server("b1", second.url)], remade)
        second.models = ["later"]
        await first.stop()
        (status,) = await backends.status()
        assert (status.name, status.problem, status.models) == ("b1", None, ["later"])
        looking.cancel()


async def test_the_status_of_a_server_that_is_gone_says_why() -> None:
    async with two() as (first, _, backends):
        await first.stop()
        told = {each.name: each for each in await backends.status()}
    assert told["b0"].problem
    assert (told["b1"].problem, told["b1"].api) == (None, "responses")

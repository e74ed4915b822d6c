"""Turns and streams at the same time, over several gateways on one broker."""

import asyncio
from typing import Any

from turnwire_contracts.ids import ResponseId
from turnwire_contracts.json_values import JSON
from turnwire_contracts.notices.turn_ended import TurnEnded
from turnwire_gateway.limits.allowances import Allowance
from turnwire_gateway.limits.limit_state import Lease
from turnwire_gateway.limits.settlement import LEASE_MS
from turnwire_testing.asgi import Exchange, call
from turnwire_testing.gateway import Api, error_of
from turnwire_testing.limited import Gateways, limited_gateways, statuses
from turnwire_testing.waiting import eventually

TWO_TURNS = Allowance(concurrent_turns=2)
TWO_STREAMS = Allowance(concurrent_streams=2)
REFUSED = (429, "rate_limit_exceeded")


async def begin(gateways: Gateways, at: int, **fields: Any) -> asyncio.Task[Exchange]:
    """Ask for a response that is not finished yet, and wait until it is requested."""
    api = gateways.apis[at]
    api.log.busy = True
    before = len(api.log.requests)
    asking = asyncio.create_task(gateways.ask(at, **fields))

    async def is_requested() -> bool:
        return len(api.log.requests) > before

    await eventually(is_requested)
    return asking


async def finish(api: Api, asking: asyncio.Task[Exchange]) -> JSON:
    """End the turn that was requested first, and wait for its answer."""
    await api.log.finish(api.log.requests.pop(0))
    answer = await asking
    assert answer.status == 200
    return answer.json


async def lease_of(gateways: Gateways) -> Lease:
    """Give what the broker has of the one gateway at which anything runs."""
    kept = await gateways.apis[0].world.limiter.limit_states.read(gateways.tenant)
    (lease,) = kept.limit_state.leases.values()
    return lease


async def passes(gateways: Gateways, at: int, **fields: Any) -> None:
    """Wait until a request is let in; what frees a place is written a moment later."""
    api = gateways.apis[at]
    api.log.busy = False

    async def is_acquired() -> bool:
        return (await gateways.ask(at, **fields)).status in (200, 202)

    await eventually(is_acquired)


async def test_exactly_so_many_turns_run_at_once_and_an_end_makes_room(nats_url: str) -> None:
    async with limited_gateways(nats_url, TWO_TURNS) as gateways:
        first = await begin(gateways, 0)
        second = await begin(gateways, 1)
        refused = [await gateways.ask(0), await gateways.ask(1)]
        assert [error_of(each) for each in refused] == [REFUSED, REFUSED]
        assert "2 responses at the same time" in refused[0].json["error"]["message"]
        assert refused[0].headers["retry-after"] == "1"
        await finish(gateways.apis[0], first)
        await passes(gateways, 1)
        await finish(gateways.apis[1], second)


async def test_a_crowd_that_comes_at_once_gets_exactly_the_places_there_are(
    nats_url: str,
) -> None:
    async with limited_gateways(nats_url, Allowance(concurrent_turns=7)) as gateways:
        for api in gateways.apis:
            api.log.busy = True
        crowd = [asyncio.create_task(gateways.ask(number % 2)) for number in range(20)]

        async def all_but_seven_are_refused() -> bool:
            return sum(task.done() for task in crowd) == 13

        await eventually(all_but_seven_are_refused)
        for api in gateways.apis:
            for request in api.log.requests:
                await api.log.finish(request)
        assert statuses(await asyncio.gather(*crowd)) == {200: 7, 429: 13}


async def test_streams_are_counted_apart_whether_they_are_made_or_read_again(
    nats_url: str,
) -> None:
    async with limited_gateways(nats_url, TWO_STREAMS, gateways=1) as gateways:
        api, who = gateways.apis[0], {"authorization": gateways.authorization}
        streaming = await begin(gateways, 0, stream=True)
        response_id = api.log.requests[0].response_id
        again = Exchange(fields=who)
        path = f"/v1/responses/{response_id}?stream=true"
        reading = asyncio.create_task(call(api.app, "GET", path, again))  # pyright: ignore[reportArgumentType]

        async def is_read() -> bool:
            return (await lease_of(gateways)).streams == {"tenant": 2}

        await eventually(is_read)
        assert error_of(await api.get(path, **who)) == REFUSED
        assert error_of(await gateways.ask(stream=True)) == REFUSED
        plain = await begin(gateways, 0)
        await api.log.finish(api.log.requests.pop())
        assert (await plain).status == 200
        await finish_stream(api, streaming, reading)
        await passes(gateways, 0, stream=True)


async def finish_stream(api: Api, *readers: asyncio.Task[Exchange]) -> None:
    """End a streamed turn, and wait for its readers."""
    await api.log.finish(api.log.requests.pop(0))
    await asyncio.gather(*readers)


async def test_a_background_turn_has_its_place_until_its_end_is_told(nats_url: str) -> None:
    async with limited_gateways(nats_url, TWO_TURNS) as gateways:
        for api in gateways.apis:
            api.log.busy = True
        promised = [await gateways.ask(at, background=True) for at in (0, 1)]
        assert statuses(promised) == {202: 2}
        assert error_of(await gateways.ask(background=True)) == REFUSED
        assert error_of(await gateways.ask(1)) == REFUSED
        assert gateways.apis[0].log.requests[0].metered == ["tenant"]
        ended = ResponseId(promised[0].json["id"])
        notice = TurnEnded(gateways.tenant, ended, ["tenant"], 5)
        gateways.apis[1].world.limiter.turn_ended(notice)
        await passes(gateways, 0)


async def test_a_background_turn_whose_end_nobody_tells_is_given_up_in_the_end(
    nats_url: str,
) -> None:
    async with limited_gateways(nats_url, Allowance(concurrent_turns=1)) as gateways:
        gateways.apis[0].log.busy = True
        assert (await gateways.ask(background=True)).status == 202
        gateways.later(3_600_000 + 59_999)
        assert error_of(await gateways.ask(1)) == REFUSED
        gateways.later(1)
        assert (await gateways.ask(1)).status == 200


async def test_what_is_refused_later_on_takes_no_place(nats_url: str) -> None:
    async with limited_gateways(nats_url, Allowance(concurrent_turns=1), gateways=1) as gateways:
        unknown = "conv_" + "0" * 32
        for background in (False, True):
            for _ in range(3):
                answer = await gateways.ask(background=background, conversation=unknown)
                assert error_of(answer) == (404, "conversation_not_found")
            await passes(gateways, 0)


async def test_a_client_that_leaves_gives_its_place_back(nats_url: str) -> None:
    async with limited_gateways(nats_url, Allowance(concurrent_turns=1)) as gateways:
        asking = await begin(gateways, 0)
        assert error_of(await gateways.ask(1)) == REFUSED
        asking.cancel()
        await passes(gateways, 1)


async def test_what_runs_at_a_gateway_counts_until_it_is_silent_too_long(nats_url: str) -> None:
    async with limited_gateways(nats_url, TWO_TURNS) as gateways:
        turns = [await begin(gateways, 0), await begin(gateways, 0)]
        gateways.later(LEASE_MS - 1)
        assert error_of(await gateways.ask(1)) == REFUSED
        gateways.later(1)
        assert (await gateways.ask(1)).status == 200
        for turn in turns:
            await finish(gateways.apis[0], turn)


async def test_a_gateway_that_ends_gives_its_places_back_at_once(nats_url: str) -> None:
    async with limited_gateways(nats_url, Allowance(concurrent_turns=1)) as gateways:
        await finish(gateways.apis[0], await begin(gateways, 0))
        await gateways.apis[0].world.limiter.leave()
        assert (await gateways.ask(1)).status == 200


async def test_a_gateway_that_goes_on_working_keeps_its_places(nats_url: str) -> None:
    async with limited_gateways(nats_url, TWO_TURNS) as gateways:
        turns = [await begin(gateways, 0), await begin(gateways, 0)]
        gateways.later(LEASE_MS - 1)
        gateways.apis[0].world.limiter.renew()
        now = gateways.apis[0].now

        async def is_renewed() -> bool:
            return (await lease_of(gateways)).until == now + LEASE_MS

        await eventually(is_renewed)
        gateways.later(1)
        assert error_of(await gateways.ask(1)) == REFUSED
        for turn in turns:
            await finish(gateways.apis[0], turn)


async def test_a_repeated_idempotency_key_takes_no_second_place(nats_url: str) -> None:
    async with limited_gateways(nats_url, Allowance(concurrent_turns=1), gateways=1) as gateways:
        api = gateways.apis[0]
        api.log.busy = True
        body: JSON = {"model": "m", "input": "Hello?", "background": True}
        headers = {"authorization": gateways.authorization, "idempotency-key": "once"}
        for _ in range(3):
            answer = await api.call("POST", "/v1/responses", body, **headers)
            assert answer.status == 202
        assert error_of(await gateways.ask()) == REFUSED

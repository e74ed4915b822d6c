"""Requests and tokens per minute, over several gateways on one broker."""

import asyncio

from turnwire_contracts.ids import ResponseId
from turnwire_contracts.notices.turn_ended import TurnEnded
from turnwire_gateway.limits.allowances import Allowance
from turnwire_testing.gateway import error_of
from turnwire_testing.limited import Gateways, limited_gateways, statuses

REFUSED = (429, "rate_limit_exceeded")
THREE_REQUESTS = Allowance(requests_per_minute=3)


def charge(gateways: Gateways, tokens: int, *accounts: str) -> None:
    """Tell one gateway that a turn has cost so much, as an orchestrator does."""
    notice = TurnEnded(gateways.tenant, ResponseId("resp_1"), list(accounts or ("tenant",)), tokens)
    gateways.apis[0].world.limiter.turn_ended(notice)


async def test_exactly_so_many_requests_pass_however_many_come_to_two_gateways(
    nats_url: str,
) -> None:
    async with limited_gateways(nats_url, Allowance(requests_per_minute=40)) as gateways:
        crowd = (gateways.ask(number % 2) for number in range(60))
        answers = await asyncio.gather(*crowd)
        assert statuses(answers) == {200: 40, 429: 20}
        requests = [len(api.log.requests) for api in gateways.apis]
        assert sum(requests) == 40, "what is refused is not appended"
        assert min(requests) > 0


async def test_a_request_passes_again_when_the_minute_is_over_and_not_before(
    nats_url: str,
) -> None:
    async with limited_gateways(nats_url, THREE_REQUESTS) as gateways:
        await gateways.ask(0)
        gateways.later(10_000)
        assert statuses([await gateways.ask(1), await gateways.ask(1)]) == {200: 2}
        gateways.later(49_999)
        refused = await gateways.ask(0)
        assert error_of(refused) == REFUSED
        assert refused.headers["retry-after"] == "1"
        gateways.later(1)
        assert (await gateways.ask(0)).status == 200
        assert error_of(await gateways.ask(1)) == REFUSED


async def test_a_refusal_names_the_limit_and_says_truly_when_there_is_room(nats_url: str) -> None:
    async with limited_gateways(nats_url, THREE_REQUESTS, gateways=1) as gateways:
        for _ in range(3):
            gateways.later(1_000)
            await gateways.ask()
        refused = await gateways.ask()
        assert refused.json["error"] == {
            "message": f"Rate limit reached for tenant '{gateways.tenant}': at most 3 requests per "
            "minute. Try again in 58 s, or have the operator raise `requests_per_minute` in "
            "TURNWIRE_LIMITS.",
            "type": "too_many_requests",
            "param": None,
            "code": "rate_limit_exceeded",
        }
        wait = int(refused.headers["retry-after"])
        gateways.later((wait - 1) * 1000)
        assert (await gateways.ask()).status == 429
        gateways.later(1000)
        assert (await gateways.ask()).status == 200


async def test_answers_and_refusals_alike_say_where_the_caller_stands(nats_url: str) -> None:
    allowance = Allowance(requests_per_minute=2, tokens_per_minute=100)
    async with limited_gateways(nats_url, allowance, gateways=1) as gateways:
        first = await gateways.ask()
        gateways.later(1_500)
        charge(gateways, 30)
        second = await gateways.ask()
        gateways.later(51_740)
        third = await gateways.ask()
        headers = [
            {name: value for name, value in each.headers.items() if "ratelimit" in name}
            for each in (first, second, third)
        ]
        assert (first.status, second.status, third.status) == (200, 200, 429)
        assert headers[0] == {
            "x-ratelimit-limit-requests": "2",
            "x-ratelimit-remaining-requests": "1",
            "x-ratelimit-reset-requests": "1m0s",
            "x-ratelimit-limit-tokens": "100",
            "x-ratelimit-remaining-tokens": "100",
            "x-ratelimit-reset-tokens": "0ms",
        }
        assert headers[2] == {
            **headers[1],
            "x-ratelimit-reset-requests": "8.26s",
            "x-ratelimit-reset-tokens": "8.26s",
        }
        assert headers[1]["x-ratelimit-remaining-requests"] == "0"
        assert headers[1]["x-ratelimit-remaining-tokens"] == "70"
        assert headers[1]["x-ratelimit-reset-tokens"] == "1m0s"


async def test_a_tenant_over_its_tokens_waits_until_they_are_a_minute_old(nats_url: str) -> None:
    async with limited_gateways(nats_url, Allowance(tokens_per_minute=100)) as gateways:
        charge(gateways, 99)
        assert (await gateways.ask(0)).status == 200
        gateways.later(1_000)
        charge(gateways, 1)
        refused = await gateways.ask(0)
        assert error_of(refused) == REFUSED
        assert "100 tokens per minute" in refused.json["error"]["message"]
        assert (await gateways.ask(1)).status == 429
        assert refused.headers["retry-after"] == "59"
        gateways.later(59_000)
        assert (await gateways.ask(1)).status == 200


async def test_a_keys_limit_holds_for_the_key_and_the_tenants_for_all_of_them(
    nats_url: str,
) -> None:
    keys = {"key_1": Allowance(requests_per_minute=2)}
    async with limited_gateways(nats_url, Allowance(requests_per_minute=3), keys=keys) as gateways:
        assert statuses([await gateways.ask(who="a/key_1") for _ in range(2)]) == {200: 2}
        refused = await gateways.ask(who="a/key_1")
        assert "API key 'key_1'" in refused.json["error"]["message"]
        assert (await gateways.ask(1, who="a/key_2")).status == 200
        assert "tenant" in (await gateways.ask(1, who="b/key_2")).json["error"]["message"]
        assert refused.headers["x-ratelimit-limit-requests"] == "2"


async def test_what_one_account_refuses_is_not_counted_in_the_other(nats_url: str) -> None:
    keys = {"key_1": Allowance(requests_per_minute=1)}
    async with limited_gateways(nats_url, Allowance(requests_per_minute=2), keys=keys) as gateways:
        for _ in range(5):
            await gateways.ask(who="a/key_1")
        assert (await gateways.ask(who="a")).status == 200


async def test_a_refusal_comes_before_everything_that_a_request_refers_to_is_looked_up(
    nats_url: str,
) -> None:
    async with limited_gateways(nats_url, Allowance(requests_per_minute=1)) as gateways:
        unknown = "conv_" + "0" * 32
        assert error_of(await gateways.ask(conversation=unknown)) == (404, "conversation_not_found")
        for at, background in ((0, True), (1, True), (1, False)):
            answer = await gateways.ask(at, conversation=unknown, background=background)
            assert error_of(answer) == REFUSED


async def test_other_tenants_are_not_touched(nats_url: str) -> None:
    async with limited_gateways(nats_url, Allowance(requests_per_minute=1)) as gateways:
        assert statuses([await gateways.ask(), await gateways.ask()]) == {200: 1, 429: 1}
        other = {"authorization": f"{gateways.tenant}x/ada"}
        body = {"model": "m", "input": "Hello?"}
        assert (await gateways.apis[0].call("POST", "/v1/responses", body, **other)).status == 200


async def test_only_what_may_ask_a_model_counts(nats_url: str) -> None:
    async with limited_gateways(nats_url, Allowance(requests_per_minute=2), gateways=1) as gateways:
        api, who = gateways.apis[0], {"authorization": gateways.authorization}
        made = await gateways.ask()
        for _ in range(5):
            assert (await api.get(f"/v1/responses/{made.json['id']}", **who)).status == 200
            assert (await api.call("POST", "/v1/responses", {"model": 1}, **who)).status == 400
        compact = {"model": "m", "input": "Hello?"}
        assert (await api.call("POST", "/v1/responses/compact", compact, **who)).status == 200
        for path in ("", "/compact", "/input_tokens"):
            refused = await api.call("POST", f"/v1/responses{path}", compact, **who)
            assert error_of(refused) == REFUSED


async def test_without_limits_nothing_is_said_and_nothing_is_written(nats_url: str) -> None:
    async with limited_gateways(nats_url, Allowance(), gateways=1) as gateways:
        answer = await gateways.ask()
        assert not [name for name in answer.headers if "ratelimit" in name]
        (request,) = gateways.apis[0].log.requests
        assert request.metered == []

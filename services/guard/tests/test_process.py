"""The guard as a process on a real broker; `nats_url` comes from the plugin `turnwire_testing`."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from nats.aio.client import Client

from turnwire_chassis.broker import connect
from turnwire_chassis.request_reply.asking import ask
from turnwire_contracts.queries import (
    GUARD_CHECK,
    AskForCheck,
    GuardViolation,
    NeedsHistory,
    Refusal,
    Verdict,
)
from turnwire_dev.components.nats import nats_url as url_of
from turnwire_dev.components.nats import running_nats
from turnwire_dev.instance.ports import choose
from turnwire_guard.policy import parse_policy
from turnwire_testing.llama_guard import LlamaGuardStub, llama_guard
from turnwire_testing.service_processes import StartService, service_processes

pytestmark = pytest.mark.process

WITHIN_S = 40
# One second is promised; the others are for a machine that has more to do.
STOPPED_S = 15
POLICY = """
policies:
  default:
    input:
      - {stage: words, provider: regex, settings: {patterns: {rude: ['(?i)darn']}}}
"""
SAFE = AskForCheck(check_type="input", input="hello")
RUDE = AskForCheck(check_type="input", input="Darn it")


@pytest.fixture
def policy_file(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Write the policy of a test: `POLICY`, or what its parameter says."""
    path = tmp_path / "policy.yaml"
    path.write_text(getattr(request, "param", POLICY))
    return path


@pytest.fixture
async def start_guard(tmp_path: Path, policy_file: Path) -> AsyncGenerator[StartService]:
    """Start guards for a broker; those that still run afterwards are killed."""
    policy = str(policy_file)
    async with service_processes("turnwire_guard", tmp_path, TURNWIRE_GUARD_POLICY=policy) as start:
        yield start


@pytest.fixture
async def client(nats_url: str) -> AsyncGenerator[Client]:
    connected = await connect(nats_url, "guard-test")
    yield connected
    await connected.close()


async def test_it_answers_by_the_policy_it_was_given(
    nats_url: str, client: Client, start_guard: StartService
) -> None:
    await (await start_guard(nats_url)).becomes(200)

    assert await ask(client, GUARD_CHECK, SAFE, WITHIN_S) == Verdict(safe=True)
    assert await ask(client, GUARD_CHECK, RUDE, WITHIN_S) == Verdict(
        safe=False,
        violations=[GuardViolation(category="rude", provider="regex", stage="words", step=1)],
    )


async def test_it_answers_what_is_no_question_and_goes_on(
    nats_url: str, client: Client, start_guard: StartService
) -> None:
    await (await start_guard(nats_url)).becomes(200)

    reply = await client.request(GUARD_CHECK.subject, b"\xff{", timeout=WITHIN_S)

    assert isinstance(GUARD_CHECK.decode_answer(reply.data), Refusal)
    assert await ask(client, GUARD_CHECK, SAFE, WITHIN_S) == Verdict(safe=True)


async def test_it_answers_many_at_once(
    nats_url: str, client: Client, start_guard: StartService
) -> None:
    await (await start_guard(nats_url)).becomes(200)

    verdicts = await asyncio.gather(
        *(ask(client, GUARD_CHECK, (SAFE, RUDE)[n % 2], WITHIN_S) for n in range(500))
    )

    assert [verdict.safe for verdict in verdicts if isinstance(verdict, Verdict)] == [
        n % 2 == 0 for n in range(500)
    ]


async def test_it_waits_for_its_broker_and_outlives_it(
    tmp_path: Path, start_guard: StartService
) -> None:
    data = tmp_path / "nats"
    port = choose(("nats",), data, taken=0)["nats"]
    guard = await start_guard(url_of(port))
    await guard.becomes(503)

    for _ in range(2):
        async with running_nats(data) as url:
            assert url == url_of(port)
            await guard.becomes(200)
            client = await connect(url, "guard-test")
            assert await ask(client, GUARD_CHECK, SAFE, WITHIN_S) == Verdict(safe=True)
            await client.close()
        await guard.becomes(503)

    assert await guard.stop() < STOPPED_S


async def test_it_ends_within_a_second_of_being_told(
    nats_url: str, start_guard: StartService
) -> None:
    guard = await start_guard(nats_url)
    await guard.becomes(200)

    assert await guard.stop() < STOPPED_S


async def test_no_question_is_lost_when_a_member_leaves(
    nats_url: str, client: Client, start_guard: StartService
) -> None:
    staying, leaving = await start_guard(nats_url), await start_guard(nats_url)
    await staying.becomes(200)
    await leaving.becomes(200)

    async def ask_until(left: asyncio.Event) -> int:
        answers = 0
        while not left.is_set():
            assert await ask(client, GUARD_CHECK, SAFE, WITHIN_S) == Verdict(safe=True)
            answers += 1
        return answers

    left = asyncio.Event()
    asking = [asyncio.create_task(ask_until(left)) for _ in range(16)]
    await leaving.stop()
    left.set()

    assert min(await asyncio.gather(*asking)) > 0


@pytest.mark.parametrize("policy_file", ["policies:\n  default:\n    inputs: []\n"], indirect=True)
async def test_a_bad_policy_keeps_it_from_starting(
    nats_url: str, policy_file: Path, start_guard: StartService
) -> None:
    guard = await start_guard(nats_url)

    assert await guard.ended() == 2
    assert guard.log.read_text() == (
        f"turnwire guard: {policy_file}:3: policies.default.inputs: there is no such key. "
        "Did you mean 'input'?\n"
    )


async def test_every_guard_follows_the_policy_by_itself_and_ignores_a_bad_one(
    nats_url: str, policy_file: Path, client: Client, start_guard: StartService
) -> None:
    guards = [await start_guard(nats_url), await start_guard(nats_url)]
    for guard in guards:
        await guard.becomes(200)
    assert await verdicts(client, RUDE) == {False}

    rewrite(policy_file, POLICY.replace("darn", "hello"))
    for guard in guards:
        await guard.says(parse_policy(POLICY.replace("darn", "hello"), "p").version)
    assert await verdicts(client, RUDE) == {True}
    assert await verdicts(client, SAFE) == {False}

    rewrite(policy_file, POLICY.replace("input", "inputs"))
    for guard in guards:
        await guard.says("the file is ignored: ")
    assert await verdicts(client, SAFE) == {False}
    for guard in guards:
        await guard.stop()
        assert "Did you mean 'input'?" in guard.log.read_text()


async def verdicts(client: Client, question: AskForCheck) -> set[bool]:
    """Ask so often that each of two guards is asked; gives whether it was safe."""
    given = await asyncio.gather(*(ask(client, GUARD_CHECK, question, WITHIN_S) for _ in range(40)))
    return {isinstance(verdict, Verdict) and verdict.safe for verdict in given}


def rewrite(path: Path, text: str) -> None:
    path.write_text(text)


async def test_a_model_behind_the_guard_is_asked_and_blocks_while_it_is_down(
    nats_url: str, policy_file: Path, client: Client, start_guard: StartService
) -> None:
    async with llama_guard() as stub:
        rewrite(policy_file, judged_by(stub))
        await (await start_guard(nats_url)).becomes(200)

        assert await ask(client, GUARD_CHECK, SAFE, WITHIN_S) == Verdict(safe=True)
        unsafe = AskForCheck(check_type="input", input="[[S10]]")
        assert await ask(client, GUARD_CHECK, unsafe, WITHIN_S) == Verdict(
            safe=False, violations=[GuardViolation("S10", "llama-guard-3", "safety", 1, "Hate")]
        )

    refused = await ask(client, GUARD_CHECK, SAFE, WITHIN_S)
    assert isinstance(refused, Refusal)
    assert refused.failure.code == "guard_unavailable"


def judged_by(stub: LlamaGuardStub) -> str:
    settings = f"{{base_url: '{stub.url}', model: 'llama-guard3:8b', timeout_s: 30}}"
    stage = f"{{stage: safety, provider: llama-guard-3, settings: {settings}}}"
    return f"policies:\n  default:\n    input:\n      - {stage}"


async def test_in_a_flood_those_who_cannot_wait_hear_so_at_once(
    nats_url: str, policy_file: Path, client: Client, start_guard: StartService
) -> None:
    few = {"TURNWIRE_GUARD_MAX_CHECKS": "1", "TURNWIRE_GUARD_MAX_WAITING": "2"}
    async with llama_guard() as stub:
        rewrite(policy_file, judged_by(stub))
        await (await start_guard(nats_url, **few)).becomes(200)
        stub.may_answer.clear()

        asking = {asyncio.create_task(ask(client, GUARD_CHECK, SAFE, WITHIN_S)) for _ in range(20)}
        refused: set[asyncio.Task[Verdict | NeedsHistory | Refusal]] = set()
        while len(refused) < 17:
            done, asking = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
            refused |= done

        assert all(isinstance(each.result(), Refusal) for each in refused)
        stub.may_answer.set()
        assert await asyncio.gather(*asking) == [Verdict(safe=True)] * 3
        assert stub.most_at_once == 1

"""What stands behind the pictures: a day of a small shop's assistant, by a scripted backend."""

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp

from console.rig import House
from e2e.rig.wire import JSON, Api
from scripted_backend import ScriptedBackend, calls, fails, says, thinks

MODELS = ("qwen3-32b", "llama-3.3-70b", "gpt-oss-20b")
ENDS_WITHIN = 60.0
DESK: JSON = {"type": "mcp", "server_label": "desk"}
ASKED: Sequence[tuple[str, str, str]] = (
    ("Which of our teas has the least caffeine?", "Rooibos has none at all.", "shop"),
    ("Write a subject line for the spring sale.", "Spring is here: 20 % off all teas.", "mail"),
    ("Is parcel 4471 on its way?", "Yes. It left Hamburg this morning.", "support"),
    ("Summarise yesterday's reviews.", "Most praise the packaging; two mention delays.", "shop"),
    ("Translate 'out of stock' into Danish.", "Udsolgt.", "shop"),
    ("How do I brew white tea?", "At 75 °C, for two to three minutes.", "support"),
    ("Draft a reply to a late delivery.", "We are sorry that your tea is late.", "support"),
    ("What is 19 % of 84 euros?", "15.96 euros.", "shop"),
)
STORY = (
    "White tea is the least worked of all teas. ",
    "The buds are picked in early spring, ",
    "laid out in thin layers, and left to wither. ",
    "No leaf is rolled, and none is fired, ",
    "which is why the cup stays pale ",
    "and tastes of hay and melon. ",
)


def asks(text: str, model: str = MODELS[0], /, **fields: Any) -> JSON:
    """The body of a request."""
    return {"model": model, "input": text, **fields}


async def play(house: House) -> Mapping[str, str]:
    """Have everything happen; gives the ids that the pictures are of."""
    house.backend.models = MODELS
    async with aiohttp.ClientSession() as session:
        api = Api(session, house.stack.url, {"Authorization": f"Bearer {house.ada}"})
        operator = api.of({"Authorization": f"Bearer {house.olga}"})
        await _administer(operator)
        await _a_day(api, house.backend)
        await _what_goes_wrong(api, house.backend)
        conversation = await _conversations(api, house.backend)
        fork = await _a_fork(api, house.backend)
        await _approvals(api, house.backend)
        taken_over = await _a_takeover(api, house)
        live = await _one_that_runs(api, house.backend)
        return {"CONVERSATION": conversation, "TAKEN_OVER": taken_over, "LIVE": live, **fork}


async def _made(api: Api, body: JSON, **headers: str) -> JSON:
    status, response = await api.post(body, **headers)
    assert status in {200, 202}, response
    return response


async def _ended(api: Api, body: JSON) -> None:
    made = await _made(api, {**body, "background": True})
    await api.ended(made["id"], ENDS_WITHIN)


async def _administer(operator: Api) -> None:
    for user, label in (("ada", "laptop"), ("shop", "web shop"), ("mail", "newsletter")):
        fields = {"tenant": "acme", "user": user, "role": "user", "label": label}
        assert (await operator.call("POST", "/admin/keys", fields))[0] == 200
    gone = {"tenant": "acme", "user": "kim", "role": "user", "label": "left in May"}
    _, made = await operator.call("POST", "/admin/keys", gone)
    await operator.call("DELETE", f"/admin/keys/{made['id']}")
    await operator.call("POST", "/admin/erasures", {"tenant": "acme", "user": "kim"})


async def _a_day(api: Api, backend: ScriptedBackend) -> None:
    for number in range(3):
        for index, (question, answer, application) in enumerate(ASKED):
            backend.script(says(*_words(answer)).slowed(first=0.02 * index, each=0.01))
            model = MODELS[(index + number) % len(MODELS)]
            await _made(api, asks(question, model), x_application_id=application)


async def _what_goes_wrong(api: Api, backend: ScriptedBackend) -> None:
    backend.always(fails(500, "CUDA out of memory"), when=lambda body: "Plan next" in str(body))
    await _ended(api, asks("Plan next month.", MODELS[1]))
    backend.script(says("The price list begins ", "with ").incomplete("max_output_tokens"))
    await _made(api, asks("Read the whole price list.", max_output_tokens=16))
    backend.script(says("One moment").slowed(first=30))
    made = await _made(api, asks("Count to a million.", MODELS[2], background=True))
    await api.call("POST", f"/responses/{made['id']}/cancel")
    await api.ended(made["id"], ENDS_WITHIN)
    backend.script(says("It is called ", "bluebird."))
    await api.post(asks("What is the new blend called?"))
    backend.script(calls("search", {"query": "harbour"}), says("The harbour opens at six."))
    await _made(api, asks("When does the harbour open?", tools=[DESK]), x_application_id="support")


async def _conversations(api: Api, backend: ScriptedBackend) -> str:
    found = ""
    for topic in ("returns", "wholesale", "tea course"):
        _, conversation = await api.call("POST", "/conversations", {"metadata": {"topic": topic}})
        found = conversation["id"]
        last = None
        for question, answer, _ in ASKED[5:7]:
            backend.script(says(*_words(answer)))
            last = await _made(api, asks(question, conversation=found))
        assert last is not None
        for answer in ("A little longer: five minutes.", "Then cooler water."):
            backend.script(says(*_words(answer)))
            branch = asks("And a second time?", previous_response_id=last["id"])
            await _made(api, branch)
    return found


async def _a_fork(api: Api, backend: ScriptedBackend) -> JSON:
    backend.script(says("Our returns take thirty days.\n", "You pay for the parcel.\n", "Ask us."))
    first = await _made(
        api, asks("How do returns work?", instructions="You answer for a tea shop. Be brief.")
    )
    backend.script(
        says("Our returns take thirty days.\n", "We pay for the parcel.\n", "Write to us.")
    )
    changed = {"instructions": "You answer for a tea shop. Be warm.", "model": MODELS[1]}
    status, second = await api.call("POST", f"/responses/{first['id']}/rerun", changed)
    assert status in {200, 202}, second
    await api.ended(second["id"], ENDS_WITHIN)
    return {"BEFORE": first["id"], "AFTER": second["id"]}


async def _approvals(api: Api, backend: ScriptedBackend) -> None:
    for question, text in (
        ("Order more rooibos.", "Order 40 kg of rooibos from Clanwilliam, at 11.20 EUR per kg."),
        ("Refund parcel 4471.", "Refund 23.90 EUR for parcel 4471 to the customer's card."),
    ):
        backend.script(calls("note", {"text": text}))
        await _made(api, asks(question, tools=[DESK]), x_application_id="support")


async def _a_takeover(api: Api, house: House) -> str:
    backend = house.backend
    backend.script(
        thinks(summary=("The customer wants the history of white tea and the time.",))
        + calls("get_time", {"timezone": "Tokyo"}),
        says(*STORY).slowed(first=0.4, each=0.15).paused(after=3),
        says(*STORY[3:], "In Tokyo it is late: drink it tomorrow.").slowed(first=0.3, each=0.12),
    )
    body = asks("Tell me about white tea, and the time in Tokyo.", tools=[DESK], background=True)
    made = await _made(api, body, x_application_id="support")
    await backend.saw_pause()
    os.kill(house.stack.pid("orchestrator"), signal.SIGKILL)
    await api.ended(made["id"], ENDS_WITHIN)
    await asyncio.to_thread(house.stack.wait_until_back, "orchestrator")
    return made["id"]


async def _one_that_runs(api: Api, backend: ScriptedBackend) -> str:
    """Run one until it is held: it is still running when its picture is taken."""
    backend.script(says(*STORY, *STORY).slowed(first=0.4, each=0.05).paused(after=5))
    made = await _made(api, asks("Tell me about white tea.", background=True))
    await backend.saw_pause()
    return made["id"]


def _words(text: str) -> list[str]:
    return [f"{word} " for word in text.split()]

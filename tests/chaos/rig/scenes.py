"""What clients do in a cell or in a load: one to three turns that belong together."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from chaos.oracle import Prompt, SeenTurn
from chaos.oracle.prompts import JSON, Tool
from chaos.oracle.records import Way
from chaos.rig.clients import MODEL, Client
from chaos.rig.guard_policy import HELD
from chaos.rig.stage import Stage

ENDS_WITHIN_S = 90.0
"""A turn may meet several kills in a row; how soon each must end, the matrix says."""
_CANCEL_AFTER_S = 0.15


class Actor:
    """A client with its own chance, whose turns go into the run of the stage."""

    def __init__(self, stage: Stage, chance: random.Random) -> None:
        """`chance` is seeded: the same seed asks the same."""
        self._stage = stage
        self.chance = chance
        self.client: Client = stage.client

    def prompt(self, tool: Tool = "", *, slow: bool = False) -> Prompt:
        """A prompt with a word of its own."""
        word = f"{self.chance.getrandbits(64):016x}"
        delay_ms = self.chance.randrange(40, 80) if slow else self.chance.randrange(25)
        return Prompt(word, self.chance.randrange(4, 9), tool, delay_ms)

    async def turn(self, prompt: Prompt, way: Way = "plain", **fields: Any) -> SeenTurn:
        """Have a turn, to its end; `fields` are those of the request."""
        seen, body = self.begun(prompt, way, **fields)
        await self.client.run(seen, body, within_s=ENDS_WITHIN_S)
        return seen

    def begun(self, prompt: Prompt, way: Way = "plain", **fields: Any) -> tuple[SeenTurn, JSON]:
        """A turn that is to be asked, noted in the run, and the body of its request."""
        body: JSON = {"model": MODEL, "input": str(prompt), **_WAYS[way], **fields}
        seen = SeenTurn(prompt, way, key=f"key-{self.chance.getrandbits(64):016x}")
        seen.previous = body.get("previous_response_id", "")
        seen.conversation = body.get("conversation", "")
        seen.stored = body.get("store", True)
        seen.webhook = "webhook" in body
        self._stage.run.seen.append(seen)
        return seen, body

    def desk(self, **fields: Any) -> list[JSON]:
        """The tool server, as a request declares it."""
        return [self._stage.desk.tool(**fields)]

    def webhook(self) -> JSON:
        """The fields of a request whose end is told, where there is a receiver."""
        return {} if self._stage.receiver is None else {"webhook": {}}

    def held(self) -> Client:
        """A client whose answers the guard judges before they are shown."""
        headers = {**self._stage.stack.bearer, "x-application-id": HELD}
        return Client(self._stage.session, self._stage.stack.url, headers)


_WAYS: Mapping[Way, JSON] = {
    "plain": {},
    "stream": {"stream": True},
    "background": {"background": True},
}

Scene = Callable[[Actor], Awaitable[None]]


async def plain(actor: Actor) -> None:
    """A client waits for the whole answer."""
    await actor.turn(actor.prompt())


async def stream(actor: Actor) -> None:
    """A client reads frames, and takes a stream up again that broke."""
    # Slow enough that deltas are not all published together.
    await actor.turn(actor.prompt(slow=True), "stream")


async def cut_stream(actor: Actor) -> None:
    """A client reads frames, and cuts the connection itself, twice."""
    seen, body = actor.begun(actor.prompt(slow=True), "stream")
    cuts = tuple(actor.chance.sample(range(3, 9), 2))
    await actor.client.run(seen, body, within_s=ENDS_WITHIN_S, cuts=cuts)


async def background(actor: Actor) -> None:
    """A client polls."""
    await actor.turn(actor.prompt(), "background")


async def chain(actor: Actor) -> None:
    """Three turns, each continuing the one before."""
    previous: JSON = {}
    for _ in range(3):
        seen = await actor.turn(actor.prompt(), **previous)
        if not seen.response_id or seen.error is not None:
            return
        previous = {"previous_response_id": seen.response_id}


async def conversation(actor: Actor) -> None:
    """Two turns in a conversation."""
    made = await actor.client.conversation()
    for way in ("plain", "stream"):
        await actor.turn(actor.prompt(), way, conversation=made)


async def writing_tool(actor: Actor) -> None:
    """The model calls a tool that must not be called twice."""
    await actor.turn(actor.prompt("note"), "stream", tools=actor.desk())


async def reading_tool(actor: Actor) -> None:
    """The model calls a tool that may be called again."""
    await actor.turn(actor.prompt("echo"), "stream", tools=actor.desk())


async def plain_tool(actor: Actor) -> None:
    """The model calls a tool that must not be called twice, and the client waits for the whole."""
    await actor.turn(actor.prompt("note"), tools=actor.desk())


async def approval(actor: Actor) -> None:
    """The model wants a tool that needs approval, and the client gives it."""
    await _approval(actor, approve=True)


async def denial(actor: Actor) -> None:
    """The model wants a tool that needs approval, and the client denies it."""
    await _approval(actor, approve=False)


async def _approval(actor: Actor, *, approve: bool) -> None:
    tools = actor.desk(require_approval="always")
    asking = await actor.turn(actor.prompt("note"), tools=tools)
    asking.asks_approval = True
    output: list[JSON] = (asking.answer or {}).get("output", [])
    for question in output:
        if question["type"] == "mcp_approval_request":
            answer = {"type": "mcp_approval_response", "approval_request_id": question["id"]}
            seen, body = actor.begun(asking.prompt, "stream", tools=tools)
            body["input"] = [{**answer, "approve": approve}]
            body["previous_response_id"] = seen.previous = asking.response_id
            seen.approves = approve
            await actor.client.run(seen, body, within_s=ENDS_WITHIN_S)


async def unstored(actor: Actor) -> None:
    """A turn that leaves nothing behind."""
    await actor.turn(actor.prompt(), store=False)


async def cancelled(actor: Actor) -> None:
    """A background turn whose client asks for its end while it runs."""
    seen, body = actor.begun(actor.prompt(slow=True), "background")
    running = asyncio.create_task(actor.client.run(seen, body, within_s=ENDS_WITHIN_S))
    while not (seen.response_id or running.done()):  # noqa: ASYNC110 -- a client polls
        await asyncio.sleep(_CANCEL_AFTER_S)
    if not seen.done:
        await actor.client.cancel(seen)
    await running


async def held(actor: Actor) -> None:
    """A stream whose answer the guard judges sentence by sentence."""
    seen, body = actor.begun(actor.prompt(), "stream")
    await actor.held().run(seen, body, within_s=ENDS_WITHIN_S)


async def webhook(actor: Actor) -> None:
    """A turn whose end is told to a receiver."""
    await actor.turn(actor.prompt(), **actor.webhook())


async def unstored_webhook(actor: Actor) -> None:
    """A turn that leaves nothing behind, and whose end is told all the same."""
    await actor.turn(actor.prompt(), store=False, **actor.webhook())


SCENES: Mapping[str, Scene] = {
    each.__name__: each
    for each in (
        plain, stream, cut_stream, background, chain, conversation, writing_tool, reading_tool,
        plain_tool, approval, denial, unstored, cancelled, held, webhook,
        unstored_webhook,
    )
}  # fmt: skip

"""The embedded parts: the real broker, the real database, the real model."""

import asyncio
import json
import urllib.request
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import nats
import pytest
from nats.js import JetStreamContext
from nats.js.api import StreamConfig
from pymongo import AsyncMongoClient

from turnwire_dev.components.model import running_model
from turnwire_dev.components.mongo import running_mongo
from turnwire_dev.components.nats import running_nats

pytestmark = pytest.mark.process


@asynccontextmanager
async def jetstream(url: str) -> AsyncGenerator[JetStreamContext]:
    client: Any = await nats.connect(url)  # pyright: ignore[reportUnknownMemberType] - nats-py is half typed
    yield client.jetstream()
    await client.close()


async def test_the_broker_keeps_an_acknowledged_event_over_a_restart(tmp_path: Path) -> None:
    folder = tmp_path / 'a folder with "quotes"'
    async with running_nats(folder) as url, jetstream(url) as log:
        await log.add_stream(  # pyright: ignore[reportUnknownMemberType]
            StreamConfig(name="TURNS", subjects=["turn.>"])
        )
        await log.publish("turn.local.resp_1.requested", b"fact")

    async with running_nats(folder) as url, jetstream(url) as log:
        message = await log.get_msg("TURNS", seq=1)

    assert message.data == b"fact"


async def test_the_database_answers_and_keeps_what_was_written(tmp_path: Path) -> None:
    async with running_mongo(tmp_path) as url, AsyncMongoClient[dict[str, Any]](url) as client:
        await client.admin.command("ping")
        await client.get_default_database()["views"].insert_one({"_id": "resp_1"})

    async with running_mongo(tmp_path) as url, AsyncMongoClient[dict[str, Any]](url) as client:
        assert await client["turnwire"]["views"].find_one({"_id": "resp_1"}) == {"_id": "resp_1"}


async def test_the_model_answers_and_calls_a_tool_when_it_must(tmp_path: Path) -> None:
    tool = {
        "type": "function",
        "name": "get_time",
        "description": "The time in a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    }
    question = {"input": "What time is it in Tokyo?", "temperature": 0, "max_output_tokens": 60}
    forced = {"tools": [tool], "tool_choice": "required", "parallel_tool_calls": False}

    async with running_model(tmp_path) as url:
        models = await ask(f"{url}/models")
        plain = await ask(f"{url}/responses", question)
        call = await ask(f"{url}/responses", {**question, **forced})

    assert models["data"][0]["id"] == "smollm2"
    assert plain["output"][0]["content"][0]["text"]
    assert call["output"][0]["type"] == "function_call"
    assert json.loads(call["output"][0]["arguments"]) == {"city": "Tokyo"}


async def ask(url: str, body: dict[str, Any] | None = None) -> Any:
    data = json.dumps(body).encode() if body else None
    request = urllib.request.Request(  # noqa: S310 - loopback
        url, data, {"Content-Type": "application/json"}
    )

    def send() -> Any:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return json.load(answer)

    return await asyncio.to_thread(send)

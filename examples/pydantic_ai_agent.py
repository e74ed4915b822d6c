"""An agent's conversation of two runs with PydanticAI; the second is printed as it is written."""

import asyncio
import os

from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIResponsesModel, OpenAIResponsesModelSettings
from pydantic_ai.providers.openai import OpenAIProvider

provider = OpenAIProvider(
    base_url=os.environ.get("TURNWIRE_URL", "http://127.0.0.1:8080/v1"),
    api_key=os.environ.get("TURNWIRE_TOKEN", "local"),
)
agent = Agent(
    OpenAIResponsesModel(os.environ.get("TURNWIRE_MODEL", "smollm2"), provider=provider),
    instructions="Be brief and kind.",
    # Send only what is new and name the response before it: Turnwire has the rest.
    model_settings=OpenAIResponsesModelSettings(openai_previous_response_id="auto", temperature=0),
)


async def main() -> None:
    first = await agent.run("What is the capital of France?")
    print(first.output)

    history = first.all_messages()
    async with agent.run_stream("And what is it known for?", message_history=history) as second:
        async for text in second.stream_text(delta=True):
            print(text, end="", flush=True)
        print()


asyncio.run(main())

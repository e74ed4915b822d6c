"""A conversation of two turns with OpenAI's SDK; the second is printed as it is written."""

import os

from openai import OpenAI

MODEL = os.environ.get("TURNWIRE_MODEL", "smollm2")

client = OpenAI(
    base_url=os.environ.get("TURNWIRE_URL", "http://127.0.0.1:8080/v1"),
    api_key=os.environ.get("TURNWIRE_TOKEN", "local"),
)

first = client.responses.create(
    model=MODEL,
    instructions="Be brief and kind.",
    input="What is the capital of France?",
    temperature=0,
)
print(first.output_text)

# Turnwire keeps the history and the instructions, so this turn sends neither.
with client.responses.stream(
    model=MODEL,
    previous_response_id=first.id,
    input="And what is it known for?",
    temperature=0,
) as stream:
    for event in stream:
        if event.type == "response.output_text.delta":
            print(event.delta, end="", flush=True)
    print()
    stream.get_final_response()

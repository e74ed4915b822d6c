"""A streamed answer that goes on whatever breaks: try it, and kill the gateway meanwhile."""

import os

from turnwire_client import Turnwire

MODEL = os.environ.get("TURNWIRE_MODEL", "smollm2")

with Turnwire() as turnwire:
    stream = turnwire.responses.stream({"model": MODEL, "input": "Tell me a long story."})
    for event in stream:
        if event["type"] == "response.output_text.delta":
            print(event["delta"], end="", flush=True)
    print(f"\n{stream.response_id}: {stream.connections} connection(s)")

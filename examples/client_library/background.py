"""A background response: begun, waited for, and told from its log."""

import os

from turnwire_client import Turnwire
from turnwire_client.objects import text_of

MODEL = os.environ.get("TURNWIRE_MODEL", "smollm2")

with Turnwire() as turnwire:
    body = {"model": MODEL, "input": "Write a line about rivers.", "background": True}
    begun = turnwire.responses.create(body)
    ended = turnwire.responses.wait(begun["id"], timeout_s=120)
    print(text_of(ended))
    for event in turnwire.responses.events(begun["id"]):
        print(event["sequence"], event["type"])

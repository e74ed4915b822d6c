"""Arguments of calls, as texts that hold JSON. Pure."""

import msgspec
import orjson


def text_of(said: object) -> str:
    """Give arguments as a text, also those of a server that sends them as an object."""
    if isinstance(said, dict | list):
        # Numbers may be larger than orjson writes.
        return msgspec.json.encode(said).decode()
    return said if isinstance(said, str) else ""


def is_json(text: str) -> bool:
    """Tell whether a text is JSON and whole."""
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True

"""Compaction: a long history replaced by a model's summary of it.

OpenAI: an item `compaction` whose `encrypted_content` only the server reads, and the object
`response.compaction`. Ours is encoded and not encrypted: its text is the client's own, and a client
that changes it could as well have sent another message.
"""

import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

from turnwire_contracts.events import Item, TurnUsage
from turnwire_contracts.ids import ResponseId, output_item_id
from turnwire_contracts.json_values import JSON
from turnwire_contracts.turn_state import ClosedTurn
from turnwire_contracts.wire.response import closed_response, usage_object

_PREFIX: Final = "twc1."
_LONGEST: Final = 4 * 1024 * 1024


def compaction_item(response_id: ResponseId, summary: str) -> Item:
    """Give the item that stands for all that `summary` tells of."""
    content = _PREFIX + urlsafe_b64encode(zlib.compress(summary.encode())).decode()
    item_id = output_item_id(response_id, 0, "compaction")
    return {"id": item_id, "type": "compaction", "encrypted_content": content}


def summary_of(item: Item) -> str | None:
    """Read the summary in an item of ours; `None` for one that another server made.

    Raises `ValueError` when it was cut or changed on its way.
    """
    content = item.get("encrypted_content")
    if not isinstance(content, str) or not content.startswith(_PREFIX):
        return None
    reader = zlib.decompressobj()
    try:
        text = reader.decompress(urlsafe_b64decode(content.removeprefix(_PREFIX)), _LONGEST)
        summary = text.decode()
    except (zlib.error, ValueError) as error:
        raise ValueError(f"not a compaction of this server: {error}") from error
    if not reader.eof:
        raise ValueError("a compaction that is cut off, or longer than 4 MiB")
    return summary


def compaction_object(turn: ClosedTurn) -> JSON:
    """Write the object that `POST /v1/responses/compact` answers with."""
    response = closed_response(turn)
    return {
        "id": response["id"],
        "object": "response.compaction",
        "created_at": response["created_at"],
        "output": response["output"],
        "usage": usage_object(turn.closed.usage or TurnUsage()),
    }


def answer_object(turn: ClosedTurn) -> JSON:
    """Write what a client that waits for the end of a turn is answered."""
    return compaction_object(turn) if turn.request.compact else closed_response(turn)

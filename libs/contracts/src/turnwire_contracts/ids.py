"""Identifiers: each kind has its own type; ids inside a response derive from the response's."""

import re
from hashlib import blake2b
from typing import NamedTuple, NewType

from msgspec import Struct

TenantId = NewType("TenantId", str)
"""One customer of a deployment; the unit that nothing leaks across."""

OwnerId = NewType("OwnerId", str)
"""The user (a token's subject) who created something inside a tenant."""

ResponseId = NewType("ResponseId", str)
"""`resp_` and 32 hexadecimal digits: 12 of time in milliseconds, 20 of randomness (80 bits)."""

ConversationId = NewType("ConversationId", str)
"""`conv_` and 32 hexadecimal digits, made like those of a response."""

ItemId = NewType("ItemId", str)
"""A prefix that tells the kind of item, the response's 32 digits, `i` or `o`, and its index."""


class TurnKey(NamedTuple):
    """The key of a turn: with the tenant in it, nothing is found across tenants."""

    tenant: TenantId
    response_id: ResponseId


class Correlation(Struct, frozen=True, omit_defaults=True):
    """What a question is asked for; it stands on the log lines of the service that answers."""

    traceparent: str | None = None
    """W3C Trace Context: the span that the answer belongs below."""
    request_id: str | None = None
    response_id: str | None = None


RESPONSE_PREFIX = "resp_"
CONVERSATION_PREFIX = "conv_"
_DIGITS = 32
_TENANT = re.compile(r"[A-Za-z0-9_-]{1,64}")
_HEX = frozenset("0123456789abcdef")

ITEM_PREFIXES = {
    "message": "msg",
    "reasoning": "rs",
    "function_call": "fc",
    "function_call_output": "fco",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctco",
    "mcp_call": "mcp",
    "mcp_list_tools": "mcpl",
    "mcp_approval_request": "mcpr",
    "mcp_approval_response": "mcpa",
    "compaction": "cmp",
}
"""OpenAI: the prefix of an item's id names its type."""

_OTHER_ITEM = "item"
_OUR_ITEM = re.compile(
    rf"(?:{'|'.join([*ITEM_PREFIXES.values(), _OTHER_ITEM])})"
    r"_([0-9a-f]{32})([io])(0|[1-9][0-9]{0,5})"
)


def is_tenant_id(text: str) -> bool:
    """Tell whether `text` can be a tenant's id, and so may stand in a subject."""
    return _TENANT.fullmatch(text) is not None


def new_response_id(now_ms: int, randomness: bytes) -> ResponseId:
    """Mint an id that sorts by time and cannot be guessed.

    `now_ms` is the Unix time in milliseconds, `randomness` at least ten bytes.
    """
    return ResponseId(RESPONSE_PREFIX + _digits(now_ms, randomness))


def named_response_id(name: bytes) -> ResponseId:
    """Derive the id that `name` always stands for: a request that is repeated meets itself."""
    return ResponseId(RESPONSE_PREFIX + blake2b(name, digest_size=_DIGITS // 2).hexdigest())


def new_conversation_id(now_ms: int, randomness: bytes) -> ConversationId:
    """Mint a conversation's id as `new_response_id` does a response's."""
    return ConversationId(CONVERSATION_PREFIX + _digits(now_ms, randomness))


def is_response_id(text: str) -> bool:
    """Tell whether `text` has the shape of a response id, and so may stand in a subject."""
    return _is_id(text, RESPONSE_PREFIX)


def is_conversation_id(text: str) -> bool:
    """Tell whether `text` has the shape of a conversation's id."""
    return _is_id(text, CONVERSATION_PREFIX)


def input_item_id(response_id: ResponseId, index: int, kind: str) -> ItemId:
    """Name the input item at `index` of a response; the same for ever, so it is never stored."""
    return _item_id(response_id, f"i{index}", kind)


def output_item_id(response_id: ResponseId, index: int, kind: str) -> ItemId:
    """Name the output item at `index` of a response."""
    return _item_id(response_id, f"o{index}", kind)


def call_id(response_id: ResponseId, index: int) -> str:
    """Name the tool call that is output item `index`: what `function_call_output` refers to."""
    return f"call_{response_id.removeprefix(RESPONSE_PREFIX)}o{index}"


def place_of_item(item_id: str) -> tuple[ResponseId, bool, int] | None:
    """Read from an id of ours where its item stands: response, whether it is output, index.

    `None` for an id that a client or another server made.
    """
    match = _OUR_ITEM.fullmatch(item_id)
    if match is None:
        return None
    digits, side, index = match.groups()
    return ResponseId(RESPONSE_PREFIX + digits), side == "o", int(index)


def _digits(now_ms: int, randomness: bytes) -> str:
    return f"{now_ms & 0xFFFFFFFFFFFF:012x}{randomness[:10].hex()}"


def _is_id(text: str, prefix: str) -> bool:
    digits = text[len(prefix) :]
    return text.startswith(prefix) and len(digits) == _DIGITS and _HEX.issuperset(digits)


def _item_id(response_id: ResponseId, place: str, kind: str) -> ItemId:
    prefix = ITEM_PREFIXES.get(kind, _OTHER_ITEM)
    return ItemId(f"{prefix}_{response_id.removeprefix(RESPONSE_PREFIX)}{place}")

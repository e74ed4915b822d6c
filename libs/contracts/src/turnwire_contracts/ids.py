"""Identifiers: each kind has its own type; ids inside a response derive from the response's."""

from typing import NewType

TenantId = NewType("TenantId", str)
"""One customer of a deployment; the unit that nothing leaks across."""

OwnerId = NewType("OwnerId", str)
"""The user (a token's subject) who created something inside a tenant."""

ResponseId = NewType("ResponseId", str)
"""`resp_` and 32 hexadecimal digits: 12 of time in milliseconds, 20 of randomness (80 bits)."""

ItemId = NewType("ItemId", str)
"""A prefix that tells the kind of item, the response's 32 digits, `i` or `o`, and its index."""

RESPONSE_PREFIX = "resp_"
_DIGITS = 32
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


def new_response_id(now_ms: int, randomness: bytes) -> ResponseId:
    """Mint an id that sorts by time and cannot be guessed.

    `now_ms` is the Unix time in milliseconds, `randomness` at least ten bytes.
    """
    return ResponseId(f"{RESPONSE_PREFIX}{now_ms & 0xFFFFFFFFFFFF:012x}{randomness[:10].hex()}")


def is_response_id(text: str) -> bool:
    """Tell whether `text` has the shape of a response id, and so may stand in a subject."""
    head, digits = text[: len(RESPONSE_PREFIX)], text[len(RESPONSE_PREFIX) :]
    return head == RESPONSE_PREFIX and len(digits) == _DIGITS and _HEX.issuperset(digits)


def input_item_id(response_id: ResponseId, index: int, kind: str) -> ItemId:
    """Name the input item at `index` of a response; the same for ever, so it is never stored."""
    return _item_id(response_id, f"i{index}", kind)


def output_item_id(response_id: ResponseId, index: int, kind: str) -> ItemId:
    """Name the output item at `index` of a response."""
    return _item_id(response_id, f"o{index}", kind)


def call_id(response_id: ResponseId, index: int) -> str:
    """Name the tool call that is output item `index`: what `function_call_output` refers to."""
    return f"call_{response_id.removeprefix(RESPONSE_PREFIX)}o{index}"


def _item_id(response_id: ResponseId, place: str, kind: str) -> ItemId:
    prefix = ITEM_PREFIXES.get(kind, "item")
    return ItemId(f"{prefix}_{response_id.removeprefix(RESPONSE_PREFIX)}{place}")

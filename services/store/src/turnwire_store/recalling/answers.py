"""The contract's answers `Found` and `History`, written around turns that are JSON already.

`contracts.queries` would take each turn apart and write it again; the bytes are the same.
"""

from collections.abc import Iterable

import msgspec
from msgspec import Raw, Struct

from turnwire_contracts.ids import ResponseId
from turnwire_store.views import StoredTurn

_ENCODER = msgspec.json.Encoder()


class _Found(Struct, frozen=True, tag="Found"):
    turn: Raw


class _History(Struct, frozen=True, tag="History"):
    turns: list[Raw]
    before: ResponseId | None


def found(turn: StoredTurn) -> bytes:
    """Write `contracts.queries.Found`."""
    return _ENCODER.encode(_Found(Raw(turn.turn)))


def history(turns: Iterable[StoredTurn], before: ResponseId | None) -> bytes:
    """Write `contracts.queries.History`; `turns` are given oldest first."""
    return _ENCODER.encode(_History([Raw(turn.turn) for turn in turns], before))

"""The contract's answers around turns that are JSON already: `Found`, `History`, `Tree`.

`contracts.queries` would take each turn apart and write it again; the bytes are the same.
"""

from collections.abc import Iterable

import msgspec
from msgspec import Raw, Struct

from turnwire_contracts.ids import ResponseId
from turnwire_store.recalling.tree import TreePage
from turnwire_store.views import StoredTurn

_ENCODER = msgspec.json.Encoder()


class _Found(Struct, frozen=True, tag="Found"):
    turn: Raw


class _History(Struct, frozen=True, tag="History"):
    turns: list[Raw]
    before: ResponseId | None


class _Node(Struct, frozen=True):
    turn: Raw
    ancestors: list[ResponseId]


class _Tree(Struct, frozen=True, tag="Tree"):
    nodes: list[_Node]
    has_more: bool


def found(turn: StoredTurn) -> bytes:
    """Write `contracts.queries.Found`."""
    return _ENCODER.encode(_Found(Raw(turn.turn)))


def history(turns: Iterable[StoredTurn], before: ResponseId | None) -> bytes:
    """Write `contracts.queries.History`; `turns` are given oldest first."""
    return _ENCODER.encode(_History([Raw(turn.turn) for turn in turns], before))


def tree(page: TreePage) -> bytes:
    """Write `contracts.queries.Tree`."""
    nodes = [_Node(Raw(branch.turn.turn), branch.ancestors) for branch in page.branches]
    return _ENCODER.encode(_Tree(nodes, page.has_more))

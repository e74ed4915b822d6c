"""The digest of a projection: one fingerprint for each view, one digest for all of them. Pure.

Two projections of the same log have the same digest, whatever the batches were that made them.
Left out is what depends on the neighbours of a turn and not on its own events: its place in a
chain, and the conversation that it has from its parent (both are hints, or change when a parent is
purged).
"""

import hashlib
from collections.abc import Collection
from typing import Final, Literal

import msgspec
from msgspec import Struct

from turnwire_contracts.turn_state import ClosedTurn
from turnwire_store.views import ConversationView, View

_ENCODER: Final = msgspec.json.Encoder()
_TURN: Final = msgspec.json.Decoder(ClosedTurn)
_FINGERPRINT_BYTES: Final = 16

How = Literal["missing", "unexpected", "different"]


class Difference(Struct, frozen=True):
    """One turn or conversation of which two projections do not say the same."""

    about: str
    """The id of the response or conversation."""
    how: How
    """As seen from the first: it lacks a view, has one too many, or says something else."""


class Projection:
    """The fingerprints of all views of one projection, by the id of the turn or conversation."""

    def __init__(self) -> None:
        self.turns: dict[str, bytes] = {}
        self.conversations: dict[str, bytes] = {}

    def add_view(self, view: View) -> None:
        """Take a view of a turn as it is kept."""
        # Read and written once more, so that the version of the code that wrote it does not count.
        turn = _ENCODER.encode(_TURN.decode(view.turn))
        facts = (
            view.response_id,
            view.tenant,
            view.owner,
            view.sequence,
            view.status,
            view.model,
            view.created_at,
            view.closed_at,
            view.parent,
            view.deleted,
        )
        self.turns[view.response_id] = _fingerprint(_ENCODER.encode(facts), turn)

    def add_turn(self, sequence: int, turn: ClosedTurn) -> None:
        """Take a turn as the log tells it; its end is at `sequence`."""
        request, closed = turn.request, turn.closed
        facts = (
            request.response_id,
            request.tenant,
            request.owner,
            sequence,
            closed.status,
            request.model,
            request.at,
            closed.at,
            request.previous_response_id,
            turn.deleted,
        )
        written = _ENCODER.encode(turn)
        self.turns[request.response_id] = _fingerprint(_ENCODER.encode(facts), written)

    def add_conversation(self, view: ConversationView) -> None:
        """Take a conversation, kept or told by the log."""
        about = view.conversation.conversation_id
        self.conversations[about] = _fingerprint(_ENCODER.encode(view))

    def without(self, ids: Collection[str]) -> "Projection":
        """Give the same without the views of some turns and conversations."""
        left = Projection()
        left.turns = {one: of for one, of in self.turns.items() if one not in ids}
        left.conversations = {one: of for one, of in self.conversations.items() if one not in ids}
        return left

    @property
    def digest(self) -> str:
        """One digest for all views, SHA-256 in hex."""
        whole = hashlib.sha256()
        for kept in (self.turns, self.conversations):
            for about in sorted(kept):
                whole.update(about.encode() + b"\0" + kept[about])
        return whole.hexdigest()

    def differences(self, other: "Projection") -> list[Difference]:
        """Say what `other` has and this one lacks, and the like, in the order of their ids."""
        found: list[Difference] = []
        for own, others in (
            (self.turns, other.turns),
            (self.conversations, other.conversations),
        ):
            for about in sorted(own.keys() | others.keys()):
                if about not in own:
                    found.append(Difference(about, "missing"))
                elif about not in others:
                    found.append(Difference(about, "unexpected"))
                elif own[about] != others[about]:
                    found.append(Difference(about, "different"))
        return found


def _fingerprint(*parts: bytes) -> bytes:
    whole = hashlib.blake2b(digest_size=_FINGERPRINT_BYTES)
    for part in parts:
        whole.update(len(part).to_bytes(8) + part)
    return whole.digest()

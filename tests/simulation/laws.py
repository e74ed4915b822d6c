"""The laws: what must hold after every step, and what must hold when everything has come to rest.

The log is followed by the product's own fold, which other tests hold to its word; all else is
compared with what that says.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from simulation.approvals import Approvals
from simulation.reader_laws import ReaderLaws
from simulation.streams import Stream
from turnwire_contracts import codec, subjects
from turnwire_contracts.events import Closed, Item, Requested, ToolCalled
from turnwire_contracts.ids import ResponseId, TenantId, place_of_item
from turnwire_contracts.tools import AskForCall
from turnwire_contracts.turn import ImpossibleEventError, evolve
from turnwire_contracts.turn_state import ClosedTurn, Erased, NotRequested, Sampling, Turn
from turnwire_contracts.wire.compaction import answer_object
from turnwire_contracts.wire.response import error_envelope
from turnwire_contracts.wire.stream import stream_of
from turnwire_orchestrator.prompting.history import HistoryTurn, past_of
from turnwire_orchestrator.prompting.prompt import Prompt


class BrokenLawError(Exception):
    """A law does not hold."""

    def __init__(self, law: str, detail: str) -> None:
        """`law` is its name; `detail` says where and how."""
        super().__init__(f"{law}: {detail}")
        self.law = law


@dataclass
class Followed:
    """What the log says of one turn."""

    tenant: TenantId
    turn: Turn = field(default_factory=NotRequested)
    kinds: list[str] = field(default_factory=list[str])
    called: set[str] = field(default_factory=set[str])
    requested_at: float = 0.0
    """By the clock of the simulation."""
    was_begun: bool = False
    """Whether a model was asked."""
    ended_at: int = 0
    frames: list[bytes] | None = None
    """Of a turn that has ended and is stored."""


class Laws:
    """Follows the log, readers, prompts and tools; raises `BrokenLawError`."""

    def __init__(self, least_s: Mapping[str, float]) -> None:
        """`least_s`: for codes of failures, the seconds within which no turn may end so."""
        self.least_s = least_s
        self.turns: dict[ResponseId, Followed] = {}
        self.unsafe_calls: dict[str, int] = defaultdict(int)
        self.checks = 0
        self.first: BrokenLawError | None = None
        self.approvals = Approvals(self)
        self._pasts: dict[ResponseId, HistoryTurn] = {}
        self._conversations: dict[str, list[ResponseId]] = defaultdict(list)
        self.readers = ReaderLaws(self)

    def broken(self, law: str, detail: str) -> BrokenLawError:
        """Note that a law is broken; gives what is to be raised."""
        error = BrokenLawError(law, detail)
        self.first = self.first or error
        return error

    # The log.

    def appended(self, stream: Stream, sequence: int) -> None:
        """Follow the log by one event: it must be able to follow those before it."""
        if stream.name != subjects.TURNS_STREAM:
            return
        kept = stream.kept[sequence]
        if codec.is_of_conversation(kept.subject):
            return
        event = codec.read_turn_event(kept.subject, kept.data)
        if isinstance(event, Requested) and event.conversation is not None and event.store:
            self._takes_place(event)
        followed = self.turns.setdefault(
            event.response_id, Followed(event.tenant, requested_at=kept.at)
        )
        followed.kinds.append(kept.subject.split(".")[3])
        try:
            followed.turn = evolve(followed.turn, event)
        except ImpossibleEventError as error:
            law = "one terminal event" if isinstance(event, Closed) else "the log can be folded"
            raise self.broken(law, f"{event.response_id} {followed.kinds}: {error}") from error
        if isinstance(event, ToolCalled):
            followed.called |= {*event.item_ids}
        self.checks += 1
        if isinstance(event, Closed):
            self._check_time(event, kept.at)
        if isinstance(followed.turn, ClosedTurn) and isinstance(event, Closed):
            followed.ended_at = sequence
            # What was shown and then blocked by the guard is taken back: that is its purpose.
            if event.stored and followed.turn.request.watched and not event.withheld:
                followed.frames = stream_of(followed.turn)
                self.readers.ended(event.response_id)

    def _check_time(self, event: Closed, now: float) -> None:
        """A turn ends for want of time only when it had its time, and none that has begun so."""
        code = event.failure.code if event.failure is not None else ""
        if code not in self.least_s:
            return
        followed = self.turns[event.response_id]
        took = now - followed.requested_at
        if took < self.least_s[code] or (code == "overloaded" and followed.was_begun):
            detail = f"{event.response_id} {followed.kinds} ended as {code} after {took:.1f} s"
            raise self.broken("no turn is refused that had a place, or time", detail)

    def _takes_place(self, event: Requested) -> None:
        """A conversation is linear: a turn in it goes on where the last one ended."""
        about = self._conversations[f"{event.tenant} {event.conversation}"]
        turns = {each: self.turns[each].turn for each in about}
        if unended := [each for each in about if not self.has_ended(each)]:
            detail = f"{event.response_id} is requested while {unended} runs"
            raise self.broken("a conversation is linear", detail)
        counting = [each for each, turn in turns.items() if _counts(turn)]
        if event.previous_response_id != (counting[-1] if counting else None):
            detail = f"{event.response_id} follows {event.previous_response_id}, not {counting}"
            raise self.broken("a conversation is linear", detail)
        about.append(event.response_id)

    def unerased(self, log: Stream) -> list[str]:
        """Name what the log still has of turns that have ended and were not to be stored."""
        return [
            kept.subject
            for kept in log.kept.values()
            if not codec.is_of_conversation(kept.subject)
            and not kept.subject.endswith(".closed")
            and self.is_unstored(ResponseId(kept.subject.split(".")[2]))
        ]

    def has_ended(self, response_id: ResponseId) -> bool:
        """Tell whether a turn has its end in the log."""
        return isinstance(self.turns[response_id].turn, ClosedTurn | Erased)

    def is_unstored(self, response_id: ResponseId) -> bool:
        """Tell whether a turn has left nothing that a late reader could be told."""
        turn = self.turns[response_id].turn
        return isinstance(turn, Erased) or (isinstance(turn, ClosedTurn) and not turn.closed.stored)

    # Answers.

    def answered(self, response_id: ResponseId, status: int, body: bytes) -> None:
        """Take the answer that a client of a plain turn gets: it must be the log's."""
        turn = self.turns[response_id].turn
        if isinstance(turn, Erased) or not isinstance(turn, ClosedTurn):
            raise self.broken("no end before it is durable", f"{response_id} got {status}")
        failure = turn.closed.failure
        if not turn.closed.stored and failure is None:
            return
        cancelled = turn.closed.status == "cancelled"
        expected = error_envelope(failure) if failure is not None else answer_object(turn)
        if not cancelled and orjson.loads(body) != orjson.loads(orjson.dumps(expected)):
            detail = (
                f"{response_id} got {body[:300]!r}, the log has {orjson.dumps(expected)[:300]!r}"
            )
            raise self.broken("answer = fold", detail)

    # Prompts and tools.

    def prompted(self, prompt: Prompt) -> None:
        """Take what the model is shown: the turns that came before, whole and in their order."""
        self.checks += 1
        request = prompt.request
        self.turns[request.response_id].was_begun = True
        past = prompt.past
        expected = self.past(request.previous_response_id)
        while past is not None or expected is not None:
            if past is None or expected is None or past.encoded != expected.encoded:
                shown = past and (past.response_id, past.encoded)
                right = expected and (expected.response_id, expected.encoded)
                detail = f"{request.response_id} is shown {shown}, not {right}"
                raise self.broken("history is linear", detail)
            past, expected = past.parent, expected.parent
        turn = self.turns[request.response_id].turn
        if isinstance(turn, Sampling):
            said = {item["id"] for item in turn.so_far.items} - {*turn.so_far.lost}
            shown = [item["id"] for item in prompt.new if _is_output(item)]
            if not said.issuperset(shown):
                detail = f"{request.response_id} is shown {shown}; it said {sorted(said)}"
                raise self.broken("no lost sample is shown to a model", detail)

    def past(self, response_id: ResponseId | None) -> HistoryTurn | None:
        """Give the history that ends with a turn, from the log alone."""
        if response_id is None:
            return None
        if response_id not in self._pasts:
            turn = self.turns[response_id].turn
            if not isinstance(turn, ClosedTurn):
                raise self.broken("history is linear", f"{response_id} has not ended")
            self._pasts[response_id] = past_of(turn, self.past(turn.request.previous_response_id))
        return self._pasts[response_id]

    def called(self, question: AskForCall) -> None:
        """Take a call that a tool server gets: announced before, and once if it is unsafe."""
        self.checks += 1
        if question.call_id not in self.turns[question.response_id].called:
            raise self.broken("no call before it is announced", question.call_id)
        self.approvals.called(question)
        if question.name == "pay":
            self.unsafe_calls[question.call_id] += 1
            if self.unsafe_calls[question.call_id] > 1:
                raise self.broken("no unsafe call twice", question.call_id)

    # What it all cost.

    def tokens(self) -> int:
        """Give the tokens of all metered turns that have ended."""
        total = 0
        for followed in self.turns.values():
            turn = followed.turn
            if isinstance(turn, ClosedTurn) and turn.request.metered and turn.closed.usage:
                total += turn.closed.usage.input_tokens + turn.closed.usage.output_tokens
        return total

    def unended(self) -> list[str]:
        """Name the turns that have not ended, with what happened to them."""
        return [
            f"{response_id} {followed.kinds}"
            for response_id, followed in self.turns.items()
            if not isinstance(followed.turn, ClosedTurn | Erased)
        ]


def _counts(turn: Turn) -> bool:
    """Tell whether the next turn of a conversation goes on with what this one said."""
    if not isinstance(turn, ClosedTurn):
        return False
    return turn.closed.stored and turn.closed.status != "failed"


def _is_output(item: Item) -> bool:
    place = place_of_item(str(item.get("id", "")))
    return place is not None and place[1]

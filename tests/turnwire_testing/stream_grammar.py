"""The grammar of a response's stream, checked event by event (spec/responses-api.md §2.5).

opening item* end; a message or reasoning may be left open while later items are told
opening = created in_progress | created queued in_progress, the second in the background
item = output_item.added (part | argument deltas)* output_item.done
call = output_item.added mcp_call.in_progress argument deltas ...
       mcp_call.(completed | failed) output_item.done, both at the end of its round of calls
part = part.added delta* annotation* text.done part.done
"""

from collections.abc import Callable, Sequence

from turnwire_contracts.json_values import JSON, objects

TERMINAL = {"response.completed", "response.incomplete", "response.failed"}

_OPENINGS = {
    False: {"response.created": "in_progress", "response.in_progress": "in_progress"},
    True: {
        "response.created": "queued",
        "response.queued": "queued",
        "response.in_progress": "in_progress",
    },
}
"""In the background or not: the first events, and the status that each tells."""

_TEXTS = {
    "response.output_text": "text",
    "response.refusal": "refusal",
    "response.reasoning_text": "text",
    "response.reasoning_summary_text": "text",
}
_ARGUMENTS = {
    "response.function_call_arguments": "arguments",
    "response.custom_tool_call_input": "input",
    "response.mcp_call_arguments": "arguments",
}
_IN_STEPS = {"response.mcp_call", "response.mcp_list_tools"}
_WHOLE = {"mcp_approval_request"}
"""Items that say everything when they are added."""


class GrammarError(AssertionError):
    """An event that must not stand where it stands."""


def check_stream(events: Sequence[JSON]) -> None:
    """Check a whole stream; raises `GrammarError` at the first event that is wrong."""
    numbers = [event["sequence_number"] for event in events]
    _demand(numbers == list(range(len(events))), "numbers have a gap", numbers)
    kinds = [event["type"] for event in events]
    opening = _OPENINGS[events[0]["response"]["background"]]
    said = [(event["type"], event["response"]["status"]) for event in events[: len(opening)]]
    _demand(said == [*opening.items()], "wrong opening", said)
    ends = [kind for kind in kinds if kind in TERMINAL]
    _demand(kinds[-1] in TERMINAL and len(ends) == 1, "not one terminal event at the end", kinds)
    checker = _Items()
    for event in events[len(opening) : -1]:
        checker.take(event)
    _demand(not checker.open, "an item is still open at the end", checker.open)
    _demand(not checker.calls, "a call is still open at the end", checker.calls)
    told = [checker.finished[index] for index in sorted(checker.finished)]
    _demand(events[-1]["response"]["output"] == told, "output is not what was told", "")


class _Items:
    """Follows items, each by its `output_index`."""

    def __init__(self) -> None:
        """Start before the first item."""
        self.finished: dict[int, JSON] = {}
        self.open: dict[int, _Item] = {}
        self.calls: dict[str, int] = {}
        """By id: calls whose arguments are told and whose end is not."""
        self._begun = 0
        self._ending: str | None = None

    def take(self, event: JSON) -> None:
        """Check the next event."""
        kind: str = event["type"]
        if event.get("item_id") in self.calls or event.get("item", {}).get("id") in self.calls:
            self._call_ends(event)
            return
        _demand(self._ending is None, "a call ends without being done", event)
        index: int = event["output_index"]
        if kind == "response.output_item.added":
            _demand(index == self._begun, "wrong output_index", event)
            _demand(all(map(_may_wait, self.open.values())), "an item inside a call", event)
            self._begun += 1
            self.open[index] = _Item(event)
            return
        _demand(index in self.open, "an event of no open item", event)
        item = self.open[index]
        item.take(event)
        if kind == "response.mcp_call_arguments.done":
            self.calls[item.item["id"]] = index
        if kind in ("response.output_item.done", "response.mcp_call_arguments.done"):
            self.finished[index] = self.open.pop(index).item

    def _call_ends(self, event: JSON) -> None:
        """Its last two events come together, when nothing else is open."""
        _demand(not self.open, "a call ends inside an item", event)
        if self._ending is None:
            ends = ("response.mcp_call.completed", "response.mcp_call.failed")
            _demand(event["type"] in ends, "not the end of a call", event)
            self._ending = event["item_id"]
            _demand(event["output_index"] == self.calls[event["item_id"]], "wrong index", event)
            return
        item = event["item"]
        _demand(event["type"] == "response.output_item.done", "a call is not done", event)
        _demand(item["id"] == self._ending, "another call is done", event)
        _demand(item["status"] not in ("in_progress", None), "ended in progress", event)
        _demand(event["output_index"] == self.calls.pop(item["id"]), "wrong index", event)
        self.finished[event["output_index"]] = item
        self._ending = None


class _Item:
    """Follows the parts and texts of one item."""

    def __init__(self, added: JSON) -> None:
        """Check how it begins."""
        self.item: JSON = added["item"]
        self._parts = {"content_index": 0, "summary_index": 0}
        self._part: JSON | None = None
        self._text: list[str] = []
        self._text_done = False
        self._annotations: list[JSON] = []
        self._logprobs: list[JSON] = []
        if self.item["type"] in _WHOLE:
            return
        for field in ("arguments", "input"):
            _demand(self.item.get(field, "") == "", "a call that starts with arguments", added)

    def take(self, event: JSON) -> None:
        """Check the next event of the item."""
        kind: str = event["type"]
        stem, _, step = kind.rpartition(".")
        steps: dict[str, Callable[[JSON], None]] = {
            "response.output_item.done": self._item_done,
            "response.content_part.added": self._part_added,
            "response.content_part.done": self._part_done,
            "response.reasoning_summary_part.added": self._part_added,
            "response.reasoning_summary_part.done": self._part_done,
            "response.output_text.annotation.added": self._annotated,
        }
        if kind in steps:
            steps[kind](event)
            return
        self._same_item(event)
        if stem in _IN_STEPS:
            return
        _demand(stem in _TEXTS or stem in _ARGUMENTS, "an event that nobody knows", event)
        _demand((stem in _TEXTS) == (self._part is not None), "text outside its part", event)
        if stem in _TEXTS:
            self._same_part(event)
        _demand(not self._text_done, "text after its end", event)
        if step == "delta":
            logprobs = objects(event.get("logprobs"))
            _demand(event["delta"] != "" or logprobs, "an empty delta", event)
            self._text.append(event["delta"])
            self._logprobs += logprobs
            return
        field = _TEXTS.get(stem) or _ARGUMENTS[stem]
        _demand(event[field] == "".join(self._text), "the text is not its deltas", event)
        self._same_logprobs(event)
        self._text_done = True

    def _item_done(self, event: JSON) -> None:
        _demand(self._part is None, "an item ends inside a part", event)
        same = all(event["item"][name] == self.item[name] for name in ("id", "type"))
        _demand(same, "another item ends", event)
        _demand(event["item"].get("status") != "in_progress", "ended in progress", event)
        self.item = event["item"]

    def _part_added(self, event: JSON) -> None:
        self._same_item(event)
        _demand(self._part is None, "a part inside a part", event)
        index = "summary_index" if event["part"]["type"] == "summary_text" else "content_index"
        _demand(event[index] == self._parts[index], "wrong index of a part", event)
        self._part = {index: event[index], "type": event["part"]["type"]}
        self._text, self._text_done, self._annotations, self._logprobs = [], False, [], []

    def _part_done(self, event: JSON) -> None:
        self._same_item(event)
        _demand(self._text_done, "a part ends before its text", event)
        self._same_part(event)
        part = event["part"]
        _demand(part.get("text", part.get("refusal")) == "".join(self._text), "other text", event)
        _demand(part.get("annotations", []) == self._annotations, "other annotations", event)
        self._same_logprobs(part)
        self._parts["summary_index" if "summary_index" in event else "content_index"] += 1
        self._part = None

    def _annotated(self, event: JSON) -> None:
        self._same_item(event)
        self._same_part(event)
        _demand(not self._text_done, "an annotation after the text", event)
        _demand(event["annotation_index"] == len(self._annotations), "wrong index", event)
        self._annotations.append(event["annotation"])

    def _same_item(self, event: JSON) -> None:
        _demand(event["item_id"] == self.item["id"], "no item", event)

    def _same_logprobs(self, done: JSON) -> None:
        # A backend may tell them at the end only.
        same = not self._logprobs or done.get("logprobs") == self._logprobs
        _demand(same, "other log probabilities", done)

    def _same_part(self, event: JSON) -> None:
        place = {name: value for name, value in (self._part or {}).items() if name != "type"}
        _demand(bool(place), "no part is open", event)
        _demand(all(event[name] == value for name, value in place.items()), "other part", event)


def _may_wait(item: _Item) -> bool:
    return item.item["type"] in ("message", "reasoning")


def _demand(holds: object, what: str, shown: object) -> None:
    if not holds:
        raise GrammarError(f"{what}: {shown}")

"""The grammar of a response's stream, checked event by event (spec/responses-api.md §2.5).

opening item* end
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
    _demand(checker.item is None, "an item is still open at the end", events[-1])
    _demand(not checker.calls, "a call is still open at the end", checker.calls)
    _demand(events[-1]["response"]["output"] == checker.finished, "output is not what was told", "")


class _Items:
    """Follows items, parts and texts."""

    def __init__(self) -> None:
        """Start before the first item."""
        self.finished: list[JSON] = []
        self.item: JSON | None = None
        self.calls: dict[str, int] = {}
        """By id: calls whose arguments are told and whose end is not."""
        self._ending: str | None = None
        self._parts: dict[str, int] = {}
        self._part: JSON | None = None
        self._text: list[str] = []
        self._text_done = False
        self._annotations: list[JSON] = []
        self._logprobs: list[JSON] = []

    def take(self, event: JSON) -> None:
        """Check the next event."""
        kind: str = event["type"]
        if event.get("item_id") in self.calls or event.get("item", {}).get("id") in self.calls:
            self._call_ends(event)
            return
        _demand(self._ending is None, "a call ends without being done", event)
        _demand(event["output_index"] == len(self.finished), "wrong output_index", event)
        stem, _, step = kind.rpartition(".")
        steps: dict[str, Callable[[JSON], None]] = {
            "response.output_item.added": self._item_added,
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
        if stem in _IN_STEPS:
            self._same_item(event)
            return
        _demand(stem in _TEXTS or stem in _ARGUMENTS, "an event that nobody knows", event)
        self._same_item(event)
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
        if stem == "response.mcp_call_arguments" and self.item is not None:
            self.calls[self.item["id"]] = event["output_index"]
            self.finished.append(self.item)
            self.item = None

    def _call_ends(self, event: JSON) -> None:
        """Its last two events come together, when nothing else is open."""
        _demand(self.item is None, "a call ends inside an item", event)
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

    def _item_added(self, event: JSON) -> None:
        _demand(self.item is None, "an item inside an item", event)
        self.item, self._parts = event["item"], {"content_index": 0, "summary_index": 0}
        self._text, self._text_done, self._logprobs = [], False, []
        if self.item is not None and self.item["type"] in _WHOLE:
            return
        for field in ("arguments", "input"):
            _demand(event["item"].get(field, "") == "", "a call that starts with arguments", event)

    def _item_done(self, event: JSON) -> None:
        item = self.item
        if item is None:
            raise GrammarError(f"done without added: {event}")
        _demand(self._part is None, "an item ends inside a part", event)
        same = all(event["item"][name] == item[name] for name in ("id", "type"))
        _demand(same, "another item ends", event)
        _demand(event["item"].get("status") != "in_progress", "ended in progress", event)
        self.finished.append(event["item"])
        self.item = None

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
        _demand(self.item is not None and event["item_id"] == self.item["id"], "no item", event)

    def _same_logprobs(self, done: JSON) -> None:
        # A backend may tell them at the end only.
        same = not self._logprobs or done.get("logprobs") == self._logprobs
        _demand(same, "other log probabilities", done)

    def _same_part(self, event: JSON) -> None:
        place = {name: value for name, value in (self._part or {}).items() if name != "type"}
        _demand(bool(place), "no part is open", event)
        _demand(all(event[name] == value for name, value in place.items()), "other part", event)


def _demand(holds: object, what: str, shown: object) -> None:
    if not holds:
        raise GrammarError(f"{what}: {shown}")

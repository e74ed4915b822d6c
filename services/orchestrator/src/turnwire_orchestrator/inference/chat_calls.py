"""The calls in a chat completion's stream: which piece belongs to which of them.

Known ways: an index and an id in the first piece, the index alone after that (OpenAI); no id (vLLM,
older); every call whole in one piece, all with the index 0, with or without ids (Ollama); pieces
with ids and all with the index 0 (Gemini); one id for several indices; neither index nor id.
"""

from typing import Any

import msgspec

from turnwire_contracts.json_repair import mended
from turnwire_orchestrator.inference.item_shapes import text_of
from turnwire_orchestrator.inference.open_items import OpenItem, OpenItems
from turnwire_orchestrator.prompting.client_tools import ClientTools


class Function(msgspec.Struct):
    """What a piece says of a call."""

    name: Any = None
    arguments: Any = None


class ChatCallDelta(msgspec.Struct):
    """A piece of a call."""

    index: Any = None
    id: Any = None
    function: Function | None = None


class _StreamedCall(msgspec.Struct):
    """A call, and what names it."""

    item: OpenItem
    index: int | None
    id: str
    name: str = ""


class Calls:
    """The calls of one sample; they are told side by side, each in pieces."""

    def __init__(self, items: OpenItems, tools: ClientTools) -> None:
        """Tell `items`; `tools` say what the client calls the functions of the model."""
        self._items = items
        self._tools = tools
        self._calls: list[_StreamedCall] = []
        self.streaming: _StreamedCall | None = None
        """The call whose arguments are told as they come."""

    @property
    def any(self) -> bool:
        """Whether there are any."""
        return bool(self._calls)

    @property
    def have_ids(self) -> bool:
        """Whether any came in `tool_calls`, so that `function_call` only repeats them."""
        return any(streamed.id or streamed.index is not None for streamed in self._calls)

    def take(self, call: ChatCallDelta) -> bool:
        """Take a piece of a call; tells whether it began a call.

        Raises `ValueError` when its call has ended.
        """
        function = call.function or Function()
        streamed = self.streaming
        text = function.arguments
        is_named = call.id or function.name or streamed is None or call.index != streamed.index
        if not is_named and isinstance(text, str):
            self._items.assembler.delta(text)
            return False
        return self._take(_index(call.index), _word(call.id), function)

    def _take(self, index: int | None, call_id: str, function: Function) -> bool:
        self.streaming = None
        name, arguments = _word(function.name), text_of(function.arguments)
        streamed = self._find(index, call_id, name)
        if streamed is not None and self._is_next(streamed, call_id, name, arguments):
            if call_id and call_id == streamed.id and arguments == streamed.item.arguments.said:
                # The same call once more.
                return False
            streamed = None
        began = streamed is None
        if streamed is None:
            item = self._items.add("function_call", None)
            streamed = _StreamedCall(item, index, call_id)
            self._calls.append(streamed)
        streamed.id = streamed.id or call_id
        if streamed.item.is_told:
            if arguments.strip():
                raise ValueError(f"a piece of call {streamed.index}, which had ended")
            return began
        if name and not streamed.name:
            streamed.name = name
            streamed.item.head = self._tools.clients({"type": "function_call", "name": name})
            streamed.item.is_custom = self._tools.is_custom(name)
        self._say(streamed, arguments)
        return began

    def _say(self, streamed: _StreamedCall, arguments: str) -> None:
        if arguments:
            streamed.item.arguments.say(arguments)
        is_shown = self._items.show(streamed.item)
        if is_shown and streamed.item.arguments.streams:
            self.streaming = streamed

    def _find(self, index: int | None, call_id: str, name: str) -> _StreamedCall | None:
        """Give the call that a piece belongs to, by its index first."""
        if index is not None:
            same_index = [streamed for streamed in self._calls if streamed.index == index]
            same = [
                streamed
                for streamed in same_index
                if not (call_id and streamed.id) or streamed.id == call_id
            ]
            return same[-1] if same else None
        if call_id:
            same = [streamed for streamed in self._calls if streamed.id == call_id]
            if same:
                return same[-1]
        last = self._calls[-1] if self._calls else None
        if last is None or (call_id and (last.id or name)):
            return None
        return last if not name or not last.name or last.name == name else None

    def _is_next(self, streamed: _StreamedCall, call_id: str, name: str, arguments: str) -> bool:
        """Tell whether a piece with a name begins another call than the one it seems to be of."""
        if not (name and streamed.name):
            return False
        if streamed.item.is_told or not streamed.item.blocks:
            return name != streamed.name or bool(arguments.strip())
        if call_id and call_id == streamed.id:
            return False
        is_unnamed = streamed.index is None and not streamed.item.arguments.said
        return name != streamed.name or is_unnamed


def _index(said: Any) -> int | None:
    if isinstance(said, str) and said.isdecimal():
        return int(said)
    return said if isinstance(said, int) and not isinstance(said, bool) else None


def _word(said: Any) -> str:
    return mended(said) if isinstance(said, str) else ""

"""The calls in a chat completion's stream: which piece belongs to which of them.

Known ways: an index and an id in the first piece, the index alone after that (OpenAI); no id (vLLM,
older); every call whole in one piece, all with the index 0, with or without ids (Ollama); pieces
with ids and all with the index 0 (Gemini); one id for several indices; neither index nor id.
"""

from typing import Any

import msgspec

from turnwire_orchestrator.inference.arguments import text_of
from turnwire_orchestrator.inference.open_items import OpenItem, OpenItems
from turnwire_orchestrator.inference.surrogates import mended
from turnwire_orchestrator.prompting.tools.client_tools import ClientTools


class Function(msgspec.Struct):
    """What a piece says of a call."""

    name: Any = None
    arguments: Any = None


class Call(msgspec.Struct):
    """A piece of a call."""

    index: Any = None
    id: Any = None
    function: Function | None = None


class _Known(msgspec.Struct):
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
        self._known: list[_Known] = []
        self.streaming: _Known | None = None
        """The call whose arguments are told as they come."""

    @property
    def any(self) -> bool:
        """Whether there are any."""
        return bool(self._known)

    def take(self, call: Call) -> bool:
        """Take a piece of a call; tells whether it began a call.

        Raises `ValueError` when its call has ended.
        """
        function = call.function or Function()
        known = self.streaming
        text = function.arguments
        is_named = call.id or function.name or known is None or call.index != known.index
        if not is_named and isinstance(text, str):
            self._items.assembler.delta(text)
            return False
        return self._take(_index(call.index), _word(call.id), function)

    def _take(self, index: int | None, call_id: str, function: Function) -> bool:
        self.streaming = None
        name, arguments = _word(function.name), text_of(function.arguments)
        known = self._find(index, call_id, name)
        if known is not None and self._is_next(known, call_id, name, arguments):
            if call_id and call_id == known.id and arguments == known.item.text:
                # The same call once more.
                return False
            known = None
        began = known is None
        if known is None:
            item = self._items.add("function_call", None)
            known = _Known(item, index, call_id)
            self._known.append(known)
        known.id = known.id or call_id
        if known.item.is_told:
            if arguments.strip():
                raise ValueError(f"a piece of call {known.index}, which had ended")
            return began
        if name and not known.name:
            known.name = name
            known.item.head = self._tools.clients({"type": "function_call", "name": name})
            known.item.is_custom = self._tools.is_custom(name)
        self._say(known, arguments)
        return began

    def _say(self, known: _Known, arguments: str) -> None:
        if arguments:
            known.item.say(arguments)
        is_shown = self._items.show(known.item)
        if is_shown and not known.item.has_half and not known.item.is_custom:
            self.streaming = known

    def _find(self, index: int | None, call_id: str, name: str) -> _Known | None:
        """Give the call that a piece belongs to, by its index first."""
        if index is not None:
            told = [known for known in self._known if known.index == index]
            same = [known for known in told if not (call_id and known.id) or known.id == call_id]
            return same[-1] if same else None
        if call_id:
            same = [known for known in self._known if known.id == call_id]
            if same:
                return same[-1]
        last = self._known[-1] if self._known else None
        if last is None or (call_id and (last.id or name)):
            return None
        return last if not name or not last.name or last.name == name else None

    def _is_next(self, known: _Known, call_id: str, name: str, arguments: str) -> bool:
        """Tell whether a piece with a name begins another call than the one it seems to be of."""
        if not (name and known.name):
            return False
        if known.item.is_told or not known.item.blocks:
            return name != known.name or bool(arguments.strip())
        if call_id and call_id == known.id:
            return False
        is_unnamed = known.index is None and not known.item.text
        return name != known.name or is_unnamed


def _index(said: Any) -> int | None:
    if isinstance(said, str) and said.isdecimal():
        return int(said)
    return said if isinstance(said, int) and not isinstance(said, bool) else None


def _word(said: Any) -> str:
    return mended(said) if isinstance(said, str) else ""

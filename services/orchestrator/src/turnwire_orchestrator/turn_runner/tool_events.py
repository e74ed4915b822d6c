"""What a model calls, told as what it is: a function of the client, or a tool of an MCP server.

The backend only knows functions. A reader of its stream tells this assembler of function calls;
those that stand for MCP tools become `mcp_call`s, or requests for approval.
"""

from turnwire_contracts.events import Item
from turnwire_contracts.ids import ResponseId
from turnwire_contracts.json_values import JSON
from turnwire_contracts.wire.assembly import Assembler
from turnwire_contracts.wire.frames import FrameWriter
from turnwire_orchestrator.prompting.toolbox import OfferedTool, Toolbox

_FUNCTION = "function_call"


class ToolAssembler(Assembler):
    """An assembler that knows which functions are tools of MCP servers."""

    def __init__(
        self, response_id: ResponseId, frames: FrameWriter | None, first_index: int, box: Toolbox
    ) -> None:
        """`box` has the tools of MCP servers, by the names that the model is told."""
        super().__init__(response_id, frames, first_index)
        self._box = box
        self._asking: OfferedTool | None = None
        self._arguments: list[str] = []

    @property
    def text(self) -> str:
        """See `Assembler.text`."""
        return super().text if self._asking is None else "".join(self._arguments)

    def add_item(self, head: Item) -> None:
        """See `Assembler.add_item`."""
        plain = head["type"] == _FUNCTION and not head.get("namespace")
        called = self._box.exposed.get(str(head.get("name"))) if plain else None
        if called is None:
            super().add_item(head)
        elif called.needs_approval:
            self.end_item()
            self._asking, self._arguments = called, []
        else:
            super().add_item({"type": "mcp_call", **_named(called)})

    def delta(self, text: str, logprobs: list[JSON] | None = None) -> None:
        """See `Assembler.delta`; a request for approval is told when it is whole."""
        if self._asking is not None:
            self._arguments.append(text)
        else:
            super().delta(text, logprobs)

    def end_item(self, said: JSON | None = None, status: str = "completed") -> None:
        """See `Assembler.end_item`."""
        asking, self._asking = self._asking, None
        if asking is None:
            super().end_item(said, status)
        elif status == "completed":
            arguments = "".join(self._arguments)
            request = {"type": "mcp_approval_request", **_named(asking), "arguments": arguments}
            super().add_item(request)
            super().end_item()


def _named(called: OfferedTool) -> JSON:
    return {"server_label": called.server.label, "name": called.tool.name}

"""The read side of the API as tools of an MCP server: what an agent needs to debug an agent."""

from typing import Annotated, Any

from mcp.server.mcpserver import MCPServer
from mcp.types import ToolAnnotations
from pydantic import Field

from turnwire_cli.errors import without_links
from turnwire_cli.printing import JSON
from turnwire_cli.turns.timeline_reader import TimelineReader, log_object
from turnwire_client import Turnwire
from turnwire_contracts.errors.catalogue import CATALOGUE

_INSTRUCTIONS = """\
Turnwire keeps every turn of an agent as events. To find out why a turn went wrong: list_responses
with status=failed, then explain_turn for its story, then get_prompt for what the model was really
sent, get_state for what the system knew at any event, explain_error for the code of an error."""

_READS = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)

Response = Annotated[str, Field(description="The id of a response: resp_…")]
Most = Annotated[int, Field(ge=1, le=100, description="How many at most.")]


class AgentTools:
    """The tools; each asks the server as the caller whose key the command was given."""

    def __init__(self, client: Turnwire) -> None:
        self._client = client

    def list_responses(
        self,
        status: str | None = None,
        model: str | None = None,
        tool: str | None = None,
        error_code: str | None = None,
        most: Most = 20,
    ) -> list[JSON]:
        """List responses, the newest first, as summaries without content.

        status: queued, in_progress, completed, incomplete, failed, cancelled.
        """
        filters = {"status": status, "model": model, "tool": tool, "error_code": error_code}
        return list(self._client.responses.iterate(most, **filters))

    def get_response(self, response_id: Response) -> JSON:
        """Give a response with all that it says."""
        return self._client.responses.get(response_id)

    def get_input(self, response_id: Response, most: Most = 100) -> list[JSON]:
        """Give the items that a response was asked, the oldest first."""
        return list(self._client.responses.input_items(response_id, limit=most, order="asc"))

    def explain_turn(self, response_id: Response) -> JSON:
        """Tell what a turn did: its events, who worked on it, tools, durations, end and cause."""
        reader = TimelineReader(response_id)
        for logged in self._client.responses.events(response_id):
            reader.take(logged)
        return log_object(reader.timeline, reader.lines)

    def get_events(self, response_id: Response) -> list[JSON]:
        """Give the events that the log has of a response, whole."""
        return list(self._client.responses.events(response_id))

    def get_state(self, response_id: Response, at: int | None = None) -> JSON:
        """Give what the events of a response add up to; at: after that event, else the last."""
        return self._client.responses.state(response_id, at)

    def get_timeline(self, response_id: Response) -> JSON:
        """Give where the time of a response went, who drove it, what was tried again."""
        return self._client.responses.timeline(response_id)

    def get_prompt(self, response_id: Response, sample: int | None = None) -> JSON:
        """Give what the model was really sent; sample: which of its questions, else the last."""
        return self._client.responses.prompt(response_id, sample=sample)

    def diff_responses(self, response_id: Response, other: Response) -> JSON:
        """Compare two responses, a fork with its origin for one."""
        return self._client.responses.diff(response_id, other)

    def list_conversation(self, conversation_id: str, most: Most = 100) -> list[JSON]:
        """Give what was said in a conversation (conv_…), the oldest first."""
        return list(self._client.conversations.items(conversation_id, most, order="asc"))

    def explain_error(self, code: str) -> JSON:
        """Tell what an error's code means, what to do, and whether the same may succeed later."""
        row = CATALOGUE.get(code)
        if row is None:
            return {"code": code, "what": "no code of Turnwire; a backend may have said it"}
        return {
            "code": code,
            "what": row.what,
            "way_out": without_links(row.way_out),
            "retryable": row.retryable,
            "status": row.status,
        }

    @property
    def all(self) -> tuple[Any, ...]:
        """Every tool, in the order in which an agent needs them."""
        return (
            self.list_responses,
            self.explain_turn,
            self.get_response,
            self.get_input,
            self.get_prompt,
            self.get_state,
            self.get_timeline,
            self.get_events,
            self.diff_responses,
            self.list_conversation,
            self.explain_error,
        )


def make_server(client: Turnwire) -> MCPServer[Any]:
    """Give the server with its tools."""
    server: MCPServer[Any] = MCPServer("turnwire", instructions=_INSTRUCTIONS)
    for tool in AgentTools(client).all:
        server.add_tool(tool, annotations=_READS)
    return server


def serve(client: Turnwire) -> None:
    """Serve on standard input and output until the input ends."""
    make_server(client).run("stdio")

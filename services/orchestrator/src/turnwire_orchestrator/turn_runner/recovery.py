"""What clients have seen of a sample whose orchestrator died, read back from its frames."""

from turnwire_contracts.events import Item, Run
from turnwire_contracts.ids import ResponseId
from turnwire_contracts.json_values import JSON
from turnwire_contracts.tool_rounds.tool_calls import is_waiting
from turnwire_contracts.wire.assembly import Assembler
from turnwire_contracts.wire.frames import payload
from turnwire_contracts.wire.items import ARGUMENT_FIELDS, said_at_the_end

_TOLD_IN_STEPS = ("message", "reasoning", "mcp_list_tools", *ARGUMENT_FIELDS)


def seen_items(
    response_id: ResponseId, frames: list[bytes], first_index: int
) -> tuple[list[Item], list[list[str]], list[Run]]:
    """Give the items that `frames` tell, their cuts and runs; what was open ends as incomplete.

    `first_index` is the `output_index` of the first of them.
    """
    assembler = Assembler(response_id, None, first_index)
    for frame in frames:
        event = payload(frame)
        _go_to(assembler, event, event.get("output_index", -1) - first_index)
        _tell(assembler, event)
    if assembler.in_item not in (None, *_TOLD_IN_STEPS):
        # Its opening told all of it.
        assembler.end_item(None, assembler.items[-1].get("status") or "completed")
    assembler.end("incomplete")
    # Their sample is lost, so these calls are never made.
    lost = [
        {**item, "status": "incomplete"} if is_waiting(item) else item for item in assembler.items
    ]
    return lost, assembler.cuts, assembler.runs


def _go_to(assembler: Assembler, event: JSON, number: int) -> None:
    """Make the item that an event is about the one that is told."""
    if event["type"] == "response.output_item.added":
        if assembler.in_item is not None:
            assembler.leave()
    elif assembler.is_left(number):
        assembler.enter(number)


def _tell(assembler: Assembler, event: JSON) -> None:
    match event["type"]:
        case "response.output_item.added":
            assembler.add_item(event["item"])
        case "response.content_part.added" | "response.reasoning_summary_part.added":
            assembler.add_part(event["part"]["type"])
        case "response.content_part.done" | "response.reasoning_summary_part.done":
            part = event["part"]
            assembler.end_part(part.get("annotations"), part.get("logprobs"))
        case "response.output_item.done":
            item = event["item"]
            assembler.end_item(said_at_the_end(item), item.get("status") or "completed")
        case "response.mcp_call_arguments.done":
            assembler.end_item()
        case kind if kind.endswith(".delta"):
            assembler.delta(event["delta"], event.get("logprobs"))
        case _:
            # Openings and `.done` texts repeat what the others say.
            pass

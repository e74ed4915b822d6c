"""Compaction: asking a model to sum up what was said, and making an item of its words. Pure."""

from msgspec.structs import replace

from turnwire_contracts.events import Item, Requested
from turnwire_contracts.wire.compaction import compaction_item
from turnwire_contracts.wire.items import parts_of
from turnwire_orchestrator import failures
from turnwire_orchestrator.deciding.commands import Finish

_ASK = (
    "Summarize the conversation so far for whoever continues it without having read it: what the "
    "user wants, the facts, names, numbers, decisions and results so far, and what is still open. "
    "Answer with the summary only."
)
_LONGEST_SUMMARY = 1024
"""Tokens; a model that does not stop by itself ends here, and what it said is the summary."""

_ABOUT_ANSWERS = ("tools", "tool_choice", "text", "parallel_tool_calls", "include")


def asking_for_summary(request: Requested) -> Requested:
    """Give what the model is asked in place of `request`: the same past, and the wish behind it."""
    wish: Item = {"type": "message", "role": "user", "content": _ASK}
    params = {name: value for name, value in request.params.items() if name not in _ABOUT_ANSWERS}
    params["max_output_tokens"] = _LONGEST_SUMMARY
    return replace(request, input=[*request.input, wish], params=params)


def compacted(finish: Finish, request: Requested) -> Finish:
    """Give the end of a compaction: one item instead of what the model said."""
    if finish.status not in ("completed", "incomplete"):
        return finish
    parts = [part for item in finish.items if item["type"] == "message" for part in parts_of(item)]
    summary = "".join(part.get("text", "") for part in parts).strip()
    if not summary:
        failed = failures.nothing_to_compact()
        status, items = "failed", list[Item]()
    else:
        failed = None
        status, items = "completed", [compaction_item(request.response_id, summary)]
    return replace(
        finish,
        status=status,
        items=items,
        cuts=[],
        runs=[],
        incomplete_reason=None,
        failure=failed,
    )

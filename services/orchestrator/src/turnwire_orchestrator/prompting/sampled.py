"""What one sample is asked: the request as the model sees it, and the rounds before. Pure.

It depends on the request, the output before the sample and the history alone, so that the prompt
of a sample can be written again.
"""

from collections.abc import Sequence

from turnwire_contracts.events import Item, Requested
from turnwire_contracts.tool_rounds.output_so_far import OutputSoFar
from turnwire_contracts.tool_rounds.tool_calls import uses_mcp
from turnwire_orchestrator.prompting.compacting import asking_for_summary
from turnwire_orchestrator.prompting.history import HistoryTurn, PromptContext, remembered
from turnwire_orchestrator.prompting.prompt import Prompt, prompt_for
from turnwire_orchestrator.prompting.toolbox import Toolbox, offering, toolbox


def listings_for(request: Requested, items: Sequence[Item], past: HistoryTurn | None) -> list[Item]:
    """Give what servers offer, as far as a turn that said `items` knows: the newest first.

    A fork knows what the turn knew that it was forked from.
    """
    known = [*request.from_log, *items]
    own = [item for item in reversed(known) if item["type"] == "mcp_list_tools"]
    return [*own, *remembered(past, "mcp_list_tools")]


def sampled(
    request: Requested, so_far: OutputSoFar, box: Toolbox | None
) -> tuple[Requested, Sequence[Item]]:
    """Give the request as the model sees it, and what it said in this turn already."""
    if request.compact:
        request = asking_for_summary(request)
    if box is None:
        return request, ()
    made = [*request.earlier_rounds, *so_far.said]
    return offering(request, box, made), so_far.said


def prompt_of_sample(request: Requested, so_far: OutputSoFar, context: PromptContext) -> Prompt:
    """Put together what a sample asks; `so_far` is the output of its turn before it."""
    past = context.history
    box = toolbox(request, listings_for(request, so_far.items, past)) if uses_mcp(request) else None
    offered, rounds = sampled(request, so_far, box)
    return prompt_for(offered, past, context.instructions, rounds)

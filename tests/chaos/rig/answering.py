"""The backend's rule: what it says and calls stands in the prompt, so a run needs no script."""

from collections.abc import Mapping, Sequence
from typing import Any

from chaos.oracle.prompts import has_called, newest
from scripted_backend import Answer, calls, says


def answer_to(body: Mapping[str, Any]) -> Answer | None:
    """Answer by the newest prompt: call its tool first, if it was offered, then say its words."""
    items: Sequence[Mapping[str, Any]] = body.get("input") or []
    if isinstance(items, str) or (prompt := newest(items)) is None:
        return None
    if prompt.tool and not has_called(items) and _offers(body, prompt.tool):
        return calls(prompt.tool, {"text": prompt.word})
    return says(*prompt.deltas).slowed(each=prompt.delay_ms / 1000)


def _offers(body: Mapping[str, Any], name: str) -> bool:
    tools: Sequence[Mapping[str, Any]] = body.get("tools") or []
    return any(tool.get("name") == name for tool in tools)

"""What `turnwire doctor` says of the views: how safe their database's URL is, and their lag."""

import json
from collections.abc import Iterator
from typing import Any

from turnwire_dev.commands.checks import CheckFailed, CheckPassed, Finding
from turnwire_dev.instance.run_file import Run
from turnwire_dev.supervision.probe import NoAnswerError, get
from turnwire_store.mongo.url import check_mongodb_url

_STORE = "store"
_PROJECTION = "projection"


def check_mongodb_options(url: str) -> Iterator[Finding]:
    """Check that a URL of MongoDB asks for nothing that weakens what the views promise."""
    try:
        check_mongodb_url(url)
    except ValueError as error:
        yield CheckFailed(
            "store URL", f"TURNWIRE_MONGODB_URL {error}", "The store refuses to start with it."
        )


async def check_projector(run: Run) -> Finding:
    """Check how far the views of a run are behind its log, and that nothing stands in their way."""
    stores = [each for name, each in run.children.items() if name.partition("-")[0] == _STORE]
    if (child := next(iter(stores), None)) is None:
        return CheckFailed("projection", "no store runs here", "Is it still starting?")
    try:
        answer = await get(child.health, within=3.0)
        health: dict[str, Any] = json.loads(answer.body)
    except (NoAnswerError, ValueError) as error:
        return CheckFailed("projection", f"{child.health}: {error}", f"See {child.log}.")
    details: dict[str, str] = health.get("details", {})
    problems: dict[str, str] = health.get("problems", {})
    if problems:
        text = "; ".join(f"{name}: {problem}" for name, problem in problems.items())
        return CheckFailed("projection", text, f"See {child.log}.")
    return CheckPassed("projection", details.get(_PROJECTION, "the store does not tell"))

"""What `turnwire doctor` says of the guard's policy: what it checks, and whether that can work."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from turnwire_chassis.settings import SettingsError, read_file
from turnwire_dev.commands.checks import Finding, Fine, Trouble
from turnwire_guard.pipeline import Pipeline, Stage
from turnwire_guard.policy import Policy, parse_policy


async def check_guard(path: Path | None) -> Sequence[Finding]:
    """Is the policy valid, and does everybody answer whom its stages ask."""
    if path is None:
        return [Fine("guard", "no policy, so nothing is checked")]
    try:
        policy = read_file("TURNWIRE_GUARD_POLICY", path, parse_policy)
    except SettingsError as error:
        return [Trouble("guard", str(error), "Mend the file.")]
    file = Fine("guard", f"{path}, version {policy.version}")
    return [file, *_pipelines(policy), *await _problems(policy)]


def _pipelines(policy: Policy) -> list[Finding]:
    found: list[Finding] = []
    for name, application in policy.applications.items():
        for check_type, pipeline in application.pipelines.items():
            how = policy.output_check(name) if check_type == "output" else None
            found.append(Fine(_place(name, check_type), _told(pipeline, how)))
    return found


def _told(pipeline: Pipeline, how: str | None) -> str:
    stages = ", ".join(map(_stage, pipeline)) or "no stages"
    return stages if how is None else f"{stages}; {how}"


def _stage(stage: Stage) -> str:
    notes = [stage.provider_name]
    if not stage.enabled:
        notes.append("off")
    if stage.on_error == "allow":
        notes.append("left out when it fails")
    return f"{stage.name} ({', '.join(notes)})"


async def _problems(policy: Policy) -> list[Finding]:
    asked = [each for each in policy.stages() if each[2].enabled]
    problems = await asyncio.gather(*(stage.provider.problem() for *_, stage in asked))
    return [
        Trouble(f"{_place(name, kind)} {stage.name}", problem, "Start it, or mend the policy.")
        for (name, kind, stage), problem in zip(asked, problems, strict=True)
        if problem is not None
    ]


def _place(application: str, check_type: str) -> str:
    return f"guard {application}/{check_type}"

"""What `turnwire doctor` says of the guard's policy: what it checks, and whether that can work."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from turnwire_chassis.settings import SettingsError, read_file
from turnwire_dev.commands.checks import CheckFailed, CheckPassed, Finding
from turnwire_guard.pipeline import Pipeline, Stage
from turnwire_guard.policy import GuardPolicy, parse_policy


async def check_guard(path: Path | None) -> Sequence[Finding]:
    """Check that the policy is valid, and that the servers of its stages answer."""
    if path is None:
        return [CheckPassed("guard", "no policy, so nothing is checked")]
    try:
        policy = read_file("TURNWIRE_GUARD_POLICY", path, parse_policy)
    except SettingsError as error:
        return [CheckFailed("guard", str(error), "Mend the file.")]
    file = CheckPassed("guard", f"{path}, version {policy.version}")
    return [file, *_pipelines(policy), *await _problems(policy)]


def _pipelines(policy: GuardPolicy) -> list[Finding]:
    pipelines: list[Finding] = []
    for name, application in policy.applications.items():
        for check_type, pipeline in application.pipelines.items():
            how = policy.output_check(name) if check_type == "output" else None
            pipelines.append(CheckPassed(_place(name, check_type), _in_words(pipeline, how)))
    return pipelines


def _in_words(pipeline: Pipeline, how: str | None) -> str:
    stages = ", ".join(map(_stage, pipeline)) or "no stages"
    return stages if how is None else f"{stages}; {how}"


def _stage(stage: Stage) -> str:
    notes = [stage.provider_name]
    if not stage.enabled:
        notes.append("off")
    if stage.on_error == "allow":
        notes.append("left out when it fails")
    return f"{stage.name} ({', '.join(notes)})"


async def _problems(policy: GuardPolicy) -> list[Finding]:
    enabled = [each for each in policy.stages() if each[2].enabled]
    problems = await asyncio.gather(*(stage.provider.problem() for *_, stage in enabled))
    return [
        CheckFailed(f"{_place(name, kind)} {stage.name}", problem, "Start it, or mend the policy.")
        for (name, kind, stage), problem in zip(enabled, problems, strict=True)
        if problem is not None
    ]


def _place(application: str, check_type: str) -> str:
    return f"guard {application}/{check_type}"

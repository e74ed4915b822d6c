"""What the guard tells operators of its policy: stages and how they are, never their settings."""

import asyncio
from dataclasses import dataclass
from typing import Final

from turnwire_chassis.telemetry.correlation import begin_answering
from turnwire_contracts.administration.deployment import (
    GUARD_POLICY,
    ApplicationPolicy,
    PolicyStage,
    PolicyTold,
)
from turnwire_guard.pipeline import Pipeline, Stage
from turnwire_guard.policy import Application
from turnwire_guard.policy_file import PolicyFile

_PROBED_WITHIN_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class PolicyHandlers:
    """Answers `guard.policy`."""

    policies: PolicyFile

    async def policy(self, body: bytes) -> bytes:
        """Tell which policy is in force, with what would keep each stage from judging now."""
        begin_answering(GUARD_POLICY, body)
        async with self.policies.lease() as policy:
            applications = [
                await _told(name, each) for name, each in sorted(policy.applications.items())
            ]
        answer = PolicyTold(policy.version, applications, self.policies.problem)
        return GUARD_POLICY.encode_answer(answer)


async def _told(name: str, application: Application) -> ApplicationPolicy:
    pipelines = {
        check_type: await _stages(pipeline)
        for check_type, pipeline in application.pipelines.items()
    }
    return ApplicationPolicy(name, application.output_check, pipelines)


async def _stages(pipeline: Pipeline) -> list[PolicyStage]:
    problems = await asyncio.gather(*(_problem(stage) for stage in pipeline))
    return [
        PolicyStage(stage.name, stage.provider_name, stage.enabled, stage.on_error, problem)
        for stage, problem in zip(pipeline, problems, strict=True)
    ]


async def _problem(stage: Stage) -> str | None:
    if not stage.enabled:
        return None
    try:
        async with asyncio.timeout(_PROBED_WITHIN_S):
            return await stage.provider.problem()
    except TimeoutError:
        return "no answer in time"

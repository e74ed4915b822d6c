"""A pipeline: stages in order, up to the first that finds something. Only providers do I/O."""

from dataclasses import dataclass
from time import perf_counter
from typing import Literal, Protocol

from turnwire_chassis.telemetry import names, spans
from turnwire_chassis.telemetry.metrics import GUARD_STAGES
from turnwire_contracts.queries import AskForCheck, GuardViolation, Verdict

OnError = Literal["block", "allow"]


class ProviderError(Exception):
    """A provider cannot say whether the content may pass."""


class NeverAllowedError(ProviderError):
    """An answer that cannot be read but says `unsafe`: not even `on_error: allow` lets it pass."""


class HistoryWantedError(Exception):
    """A provider judges conversations, and wants so many turns from before this one."""

    def __init__(self, turns: int) -> None:
        """`turns`: how many earlier turns the provider wants."""
        super().__init__(turns)
        self.turns = turns


class StageFailedError(Exception):
    """A stage could not judge; raised when it must not be left out."""

    def __init__(self, stage: "Stage", reason: str) -> None:
        """`reason`: why, for the log."""
        self.stage = stage
        self.reason = reason
        super().__init__(stage.name)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a provider has against the content; `reason` never repeats the content."""

    category: str
    reason: str | None = None


class Provider(Protocol):
    """Judges content; one is made for each stage, with that stage's settings."""

    async def judge(self, question: AskForCheck) -> tuple[Finding, ...]:
        """Give the findings against the content; none: it may pass.

        Raises `ProviderError`, and HistoryWantedError if the asker has more of the conversation.
        """
        ...

    async def start(self) -> None:
        """Prepare to judge; awaited before the first `judge`. Raises `ProviderError`."""

    async def stop(self) -> None:
        """Free what `start` and `judge` took; `judge` is not called afterwards."""

    async def problem(self) -> str | None:
        """Say what would keep it from judging now, for `turnwire doctor`; `None`: nothing."""
        return None


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a pipeline."""

    name: str
    provider_name: str
    provider: Provider
    enabled: bool = True
    on_error: OnError = "block"


Pipeline = tuple[Stage, ...]


@dataclass(frozen=True, slots=True)
class GuardOutcome:
    """A verdict, and the stages it had to do without."""

    verdict: Verdict
    without: tuple[StageFailedError, ...] = ()


async def evaluate(pipeline: Pipeline, question: AskForCheck) -> GuardOutcome:
    """Ask the enabled stages one after the other, up to the first that finds something.

    Raises `StageFailedError`, `HistoryWantedError`.

    `step` counts from 1 and counts disabled stages too: switching one off renames no other.
    """
    without: list[StageFailedError] = []
    for step, stage in enumerate(pipeline, start=1):
        if not stage.enabled:
            continue
        try:
            findings = await _findings(stage, question)
        except ProviderError as error:
            failure = StageFailedError(stage, str(error))
            if stage.on_error == "block" or isinstance(error, NeverAllowedError):
                raise failure from error
            without.append(failure)
            continue
        if findings:
            violations = [_violation(finding, stage, step) for finding in findings]
            return GuardOutcome(Verdict(safe=False, violations=violations), tuple(without))
    return GuardOutcome(Verdict(safe=True), tuple(without))


async def _findings(stage: Stage, question: AskForCheck) -> tuple[Finding, ...]:
    began, verdict = perf_counter(), "failed"
    with spans.begin(names.GUARD_STAGE) as span:
        try:
            findings = await stage.provider.judge(question)
            verdict = "unsafe" if findings else "safe"
        except HistoryWantedError:
            verdict = "needs_history"
            raise
        finally:
            span.set(names.GUARD_PROVIDER, stage.provider_name)
            span.set(names.VERDICT, verdict)
            GUARD_STAGES(stage.provider_name, verdict).observe(perf_counter() - began)
    return findings


def _violation(finding: Finding, stage: Stage, step: int) -> GuardViolation:
    return GuardViolation(
        category=finding.category,
        provider=stage.provider_name,
        stage=stage.name,
        step=step,
        reason=finding.reason,
    )

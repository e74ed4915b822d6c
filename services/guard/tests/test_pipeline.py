"""The laws of a pipeline, with providers that say what a test wants."""

import asyncio
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnwire_contracts.queries import AskForCheck, GuardViolation, Verdict
from turnwire_guard.pipeline import (
    Finding,
    GuardOutcome,
    Pipeline,
    Provider,
    ProviderError,
    Stage,
    StageFailedError,
    evaluate,
)

QUESTION = AskForCheck(check_type="input", input="hello")


@dataclass
class Says(Provider):
    """A provider that says what it was told to, and counts how often it was asked."""

    findings: tuple[Finding, ...] = ()
    fails: bool = False
    asked: list[AskForCheck] = field(default_factory=list[AskForCheck])

    async def judge(self, question: AskForCheck) -> tuple[Finding, ...]:
        self.asked.append(question)
        if self.fails:
            raise ProviderError("no answer")
        return self.findings


def judged(*stages: Stage) -> GuardOutcome:
    return asyncio.run(evaluate(stages, QUESTION))


def stage(name: str, says: Says) -> Stage:
    return Stage(name=name, provider_name="says", provider=says)


FINDINGS = st.lists(st.builds(Finding, st.sampled_from("abc"), st.none() | st.text()), max_size=2)
STAGES = st.builds(
    Stage,
    name=st.sampled_from(["first", "second", "third"]),
    provider_name=st.just("says"),
    provider=st.builds(Says, findings=FINDINGS.map(tuple)),
    enabled=st.booleans(),
)
PIPELINES = st.lists(STAGES, max_size=6).map(tuple)


def finds(each: Stage) -> bool:
    assert isinstance(each.provider, Says)
    return each.enabled and bool(each.provider.findings)


def asked(each: Stage) -> int:
    assert isinstance(each.provider, Says)
    return len(each.provider.asked)


def test_an_empty_pipeline_lets_everything_pass() -> None:
    assert judged() == GuardOutcome(Verdict(safe=True))


@given(PIPELINES)
def test_content_is_safe_when_no_enabled_stage_finds_anything(pipeline: Pipeline) -> None:
    verdict = judged(*pipeline).verdict

    assert verdict.safe == (not any(finds(each) for each in pipeline))
    assert verdict.safe == (not verdict.violations)


@given(PIPELINES)
def test_violations_come_from_the_first_stage_that_finds_something(pipeline: Pipeline) -> None:
    first = next((index for index, each in enumerate(pipeline, start=1) if finds(each)), None)

    steps = {violation.step for violation in judged(*pipeline).verdict.violations}

    assert steps == (set() if first is None else {first})


@given(PIPELINES)
def test_what_stands_behind_a_violating_stage_is_not_asked(pipeline: Pipeline) -> None:
    fresh = tuple(replace(each, provider=replace_says(each)) for each in pipeline)
    before = next((i for i, each in enumerate(fresh) if finds(each)), len(fresh))

    judged(*fresh)

    assert [asked(each) for each in fresh] == [
        int(each.enabled and index <= before) for index, each in enumerate(fresh)
    ]


def replace_says(each: Stage) -> Says:
    assert isinstance(each.provider, Says)
    return Says(each.provider.findings)


def test_a_violation_names_its_category_provider_stage_and_step() -> None:
    found = Says((Finding("S1", "because"), Finding("S2")))

    verdict = judged(stage("one", Says()), stage("two", found)).verdict

    assert verdict.violations == [
        GuardViolation(category="S1", provider="says", stage="two", step=2, reason="because"),
        GuardViolation(category="S2", provider="says", stage="two", step=2),
    ]


def test_a_disabled_stage_still_counts_as_a_step() -> None:
    off = replace(stage("off", Says((Finding("x"),))), enabled=False)

    verdict = judged(off, stage("on", Says((Finding("y"),)))).verdict

    assert [(violation.category, violation.step) for violation in verdict.violations] == [("y", 2)]


def test_a_stage_that_fails_blocks_unless_it_is_told_otherwise() -> None:
    with pytest.raises(StageFailedError) as caught:
        judged(stage("broken", Says(fails=True)))

    assert (caught.value.stage.name, caught.value.reason) == ("broken", "no answer")


def test_a_stage_that_may_fail_is_left_out_and_reported() -> None:
    broken = replace(stage("broken", Says(fails=True)), on_error="allow")

    outcome = judged(broken, stage("next", Says((Finding("x"),))))

    assert not outcome.verdict.safe
    assert [failure.stage.name for failure in outcome.without] == ["broken"]

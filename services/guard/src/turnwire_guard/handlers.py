"""One method per question: decode, judge, answer. Nothing that is asked raises out of here."""

import asyncio
from dataclasses import dataclass
from time import perf_counter

import msgspec
import structlog
from msgspec.structs import replace

from turnwire_chassis.concurrency import ConcurrencyLimit, FullError
from turnwire_chassis.telemetry import metrics, names, spans
from turnwire_chassis.telemetry.correlation import begin_answering
from turnwire_chassis.yaml_place import suggestion
from turnwire_contracts.errors.catalogue import failure
from turnwire_contracts.queries import (
    CHECK_TYPES,
    GUARD_CHECK,
    AskForCheck,
    NeedsHistory,
    Refusal,
    Verdict,
)
from turnwire_guard.pipeline import HistoryWantedError, StageFailedError, evaluate
from turnwire_guard.policy import GuardPolicy
from turnwire_guard.policy_file import PolicyFile
from turnwire_guard.verdict_cache import VerdictCache

log = structlog.get_logger()

_KEPT = frozenset({"unsafe", "none"})

_UNAVAILABLE = Refusal(failure("guard_unavailable"))


@dataclass(frozen=True, slots=True)
class GuardHandlers:
    """Answers `guard.check` by the policy."""

    policies: PolicyFile
    admission: ConcurrencyLimit
    cache: VerdictCache
    timeout_s: float
    """Seconds that a check may take in all: after that its asker waits no longer."""

    async def check(self, body: bytes) -> bytes:
        """Answer `guard.check`, with a `Refusal` where no verdict can be given."""
        try:
            return GUARD_CHECK.encode_answer(
                await self._measured(begin_answering(GUARD_CHECK, body))
            )
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return GUARD_CHECK.encode_answer(_bad_question("invalid_question", str(error)))
        except FullError:
            log.warning("check refused", reason="too many wait")
        except TimeoutError:
            log.warning("check refused", reason="no verdict in time", seconds=self.timeout_s)
        except StageFailedError as error:
            _log_failure(error)
        except Exception:
            log.exception("check failed")
        return GUARD_CHECK.encode_answer(_UNAVAILABLE)

    async def _measured(self, question: AskForCheck) -> Verdict | NeedsHistory | Refusal:
        kind = question.check_type
        if kind not in CHECK_TYPES:
            hint = suggestion(kind, CHECK_TYPES)
            return _bad_question("unknown_check_type", f"There is no such check type. {hint}")
        began, verdict = perf_counter(), "none"
        try:
            answer = await self._admitted(question)
            verdict = _verdict(answer)
        finally:
            _trace(kind, verdict)
            metrics.GUARD_CHECKS(kind, verdict).inc()
            metrics.GUARD_DURATION(kind).observe(perf_counter() - began)
        return answer

    async def _admitted(self, question: AskForCheck) -> Verdict | NeedsHistory:
        async with (
            asyncio.timeout(self.timeout_s),
            self.admission.slot(),
            self.policies.lease() as policy,
        ):
            return await self._judge(policy, question)

    async def _judge(self, policy: GuardPolicy, question: AskForCheck) -> Verdict | NeedsHistory:
        if verdict := self.cache.get(question, policy.version):
            return verdict
        pipeline = policy.pipeline(question.application_id, question.check_type)
        try:
            outcome = await evaluate(pipeline, question)
        except HistoryWantedError as error:
            return NeedsHistory(error.turns)
        verdict = outcome.verdict
        if question.check_type == "input" and verdict.safe:
            verdict = replace(verdict, output=policy.output_check(question.application_id))
        for failed in outcome.without:
            _log_failure(failed)
        if not outcome.without:
            self.cache.put(question, policy.version, verdict)
        return verdict


def _trace(kind: str, verdict: str) -> None:
    """Put the verdict on the span; spans of content that did not pass are always kept."""
    if (span := spans.current()) is None:
        return
    span.set(names.CHECK_TYPE, kind)
    span.set(names.VERDICT, verdict)
    if verdict in _KEPT:
        span.keep()


def _verdict(answer: Verdict | NeedsHistory) -> str:
    if isinstance(answer, NeedsHistory):
        return "needs_history"
    return "safe" if answer.safe else "unsafe"


def _log_failure(failure: StageFailedError) -> None:
    stage = failure.stage
    log.warning("stage failed", stage=stage.name, on_error=stage.on_error, reason=failure.reason)


def _bad_question(code: str, message: str) -> Refusal:
    return Refusal(failure(code, message))

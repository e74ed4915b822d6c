"""One method per question: decode, judge, answer. Nothing that is asked raises out of here."""

from dataclasses import dataclass

import msgspec
import structlog

from turnwire_chassis.yaml_place import suggestion
from turnwire_contracts.events import Failure
from turnwire_contracts.queries import GUARD_CHECK, AskForCheck, Refusal, Verdict
from turnwire_guard.pipeline import StageFailedError, evaluate
from turnwire_guard.policy import CHECK_TYPES, Policy

log = structlog.get_logger()

_UNAVAILABLE = Refusal(
    Failure(
        http_status=503,
        type="server_error",
        code="guard_unavailable",
        message="The content could not be checked. Try again later.",
    )
)


@dataclass(frozen=True, slots=True)
class Handlers:
    """Answers what the guard is asked."""

    policy: Policy

    async def check(self, body: bytes) -> bytes:
        """Answer `guard.check`; a guard that cannot judge says so, and nothing passes."""
        try:
            return GUARD_CHECK.answer(await self._judge(GUARD_CHECK.asked(body)))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return GUARD_CHECK.answer(_bad_question("invalid_question", str(error)))
        except StageFailedError as error:
            _log_failure(error)
        except Exception:
            log.exception("check failed")
        return GUARD_CHECK.answer(_UNAVAILABLE)

    async def _judge(self, question: AskForCheck) -> Verdict | Refusal:
        if question.check_type not in CHECK_TYPES:
            hint = suggestion(question.check_type, CHECK_TYPES)
            return _bad_question("unknown_check_type", f"There is no such check type. {hint}")
        pipeline = self.policy.pipeline(question.application_id, question.check_type)
        outcome = await evaluate(pipeline, question)
        for failure in outcome.without:
            _log_failure(failure)
        return outcome.verdict


def _log_failure(failure: StageFailedError) -> None:
    stage = failure.stage
    log.warning("stage failed", stage=stage.name, on_error=stage.on_error, reason=failure.reason)


def _bad_question(code: str, message: str) -> Refusal:
    return Refusal(
        Failure(http_status=400, type="invalid_request_error", code=code, message=message)
    )

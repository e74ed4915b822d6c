"""Judges by a classifier; its weights are loaded when a stage that is enabled starts."""

from collections.abc import Mapping

from turnwire_chassis.concurrency import ConcurrencyLimit, FullError
from turnwire_chassis.yaml_place import YamlPlace
from turnwire_contracts.queries import AskForCheck
from turnwire_guard.pipeline import Finding, Provider, ProviderError
from turnwire_guard.providers.prompt_injection.batches import BatchClassifier
from turnwire_guard.providers.prompt_injection.weights import WeightsError, load, weight_files
from turnwire_guard.providers.prompt_injection.windows import windows

_CATEGORY = "prompt_injection"
_THRESHOLD = 0.5
_LARGEST_BATCH = 64
_AT_ONCE = 256


class PromptInjectionProvider(Provider):
    """Finds texts that try to give a model other instructions."""

    def __init__(self, files: Mapping[str, bytes], threshold: float) -> None:
        """`files`: the weights. `threshold`: the probability from which on a text is unsafe."""
        self._files = files
        self._threshold = threshold
        self._batches = BatchClassifier(_LARGEST_BATCH)
        self._admission = ConcurrencyLimit(_AT_ONCE, 0)

    async def judge(self, question: AskForCheck) -> tuple[Finding, ...]:
        """See `Provider.judge`; the worst piece of a long text counts."""
        try:
            async with self._admission.slot():
                scores = await self._batches.judge(windows(question.input))
        except FullError as error:
            raise ProviderError("too many checks wait for the classifier") from error
        worst = max(scores)
        if worst < self._threshold:
            return ()
        return (Finding(_CATEGORY, f"Probability {worst:.2f}"),)

    async def start(self) -> None:
        """See `Provider.start`; takes seconds the first time."""
        try:
            await self._batches.start(lambda: load(self._files))
        except WeightsError as error:
            raise ProviderError(str(error)) from error

    async def stop(self) -> None:
        """See `Provider.stop`."""
        self._batches.stop()


def build(settings: YamlPlace) -> Provider:
    """Make the provider of one stage. Raises PlaceError, also when the weights are not there."""
    fields = settings.fields(known=("threshold",), required=())
    try:
        files = weight_files()
    except WeightsError as error:
        raise settings.error(str(error)) from error
    threshold = fields.get("threshold")
    return PromptInjectionProvider(files, threshold.probability() if threshold else _THRESHOLD)

"""Which traces are sampled: the samplers that OpenTelemetry names in `OTEL_TRACES_SAMPLER`. Pure.

The SDK's own objects decide the same (a test compares them), in ten times the time: a gateway asks
with each request.
"""

from collections.abc import Mapping
from typing import Final

import structlog
from msgspec import Struct

from turnwire_chassis.telemetry.trace_context import TraceContext

log = structlog.get_logger()

_IDS: Final = 1 << 64
"""A share of them is sampled: the last 16 hexadecimal digits of a trace's id decide."""
_ABOVE_ALL: Final = "g"
"""Sorts after every hexadecimal digit."""
_PARENT_BASED: Final = "parentbased_"
_RATIO: Final = "traceidratio"
_RATES: Final = {"always_on": 1.0, "always_off": 0.0}
_DEFAULT: Final = "parentbased_always_on"


class Sampler(Struct, frozen=True):
    """Decides about a trace that begins here, or that a client has begun."""

    bound: str
    """Ids whose last 16 digits sort before it are sampled."""
    parent_based: bool
    """Whether a client's own decision stands."""

    def samples(self, trace_id: str, parent: TraceContext | None) -> bool:
        """Tell whether a trace is sampled; `parent` is the client's span, if it told one."""
        if parent is not None and self.parent_based:
            return parent.sampled
        # Digits of one length and one case sort as the numbers that they write.
        return trace_id[16:] < self.bound


def sampler(environ: Mapping[str, str]) -> Sampler:
    """Read the environment; what cannot be read is logged and samples everything, as in the SDK."""
    name = environ.get("OTEL_TRACES_SAMPLER", "").strip().lower() or _DEFAULT
    root = name.removeprefix(_PARENT_BASED)
    if root != _RATIO and root not in _RATES:
        log.warning("sampler is not known; every trace is sampled", setting="OTEL_TRACES_SAMPLER")
        name, root = _DEFAULT, "always_on"
    rate = _rate(environ) if root == _RATIO else _RATES[root]
    bound = round(rate * _IDS)
    return Sampler(
        f"{bound:016x}" if bound < _IDS else _ABOVE_ALL, name.startswith(_PARENT_BASED)
    )


def _rate(environ: Mapping[str, str]) -> float:
    try:
        rate = float(environ.get("OTEL_TRACES_SAMPLER_ARG", ""))
    except ValueError:
        rate = -1.0
    if not 0.0 <= rate <= 1.0:
        log.warning(
            "share is not a number from 0 to 1; every trace is sampled",
            setting="OTEL_TRACES_SAMPLER_ARG",
        )
        return 1.0
    return rate

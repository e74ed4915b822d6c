"""Whether this process traces: it does where an OTLP endpoint is named, and only there."""

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Final

import structlog

from turnwire_chassis.telemetry.spans import TRACING

log = structlog.get_logger()

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_SPOKEN: Final = "http/protobuf"


def is_configured(environ: Mapping[str, str]) -> bool:
    """Tell whether the environment names a collector, and nothing that switches traces off."""
    off = environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    none = environ.get("OTEL_TRACES_EXPORTER", "otlp").strip().lower() == "none"
    return any(environ.get(name) for name in _ENDPOINTS) and not (off or none)


@contextmanager
def traced(service: str) -> Generator[None]:
    """Trace for as long as this process works; leaving sends what is left, for a second at most."""
    if not is_configured(os.environ):
        yield
        return
    protocol = next((os.environ[name] for name in _PROTOCOLS if os.environ.get(name)), _SPOKEN)
    if protocol != _SPOKEN:
        log.warning("traces are sent by another protocol than is set", protocol=_SPOKEN)
    # The SDK is loaded only where it is used.
    from turnwire_chassis.telemetry.export import OtlpExporter  # noqa: PLC0415 -- memory

    exporter = OtlpExporter(service)
    TRACING.exporter = exporter
    try:
        yield
    finally:
        TRACING.exporter = None
        exporter.stop()

"""What all services of Turnwire share: event log, output log, broker, run loop, health, logs."""

from turnwire_chassis.lazy_imports import defer, hidden

# Before anything here imports nats-py.
defer("aiohttp")
# Before anything here imports structlog, which does without.
with hidden("rich"):
    __import__("structlog")

"""What all services of Turnwire share: event log, output log, broker, run loop, health, logs."""

from turnwire_chassis.lazy_imports import defer

# Before anything here imports nats-py.
defer("aiohttp")

"""All checks at the same time, as the public suite runs them."""

import asyncio
from collections.abc import Awaitable, Callable
from types import ModuleType

import pytest

from conformance import test_compact, test_http, test_websocket
from conformance.checked_service import Service

Check = Callable[[Service], Awaitable[None]]


def checks_of(module: ModuleType) -> list[Check]:
    """Give the checks of a module."""
    return [value for name, value in vars(module).items() if name.startswith("test_")]


@pytest.mark.timeout(700)
async def test_all_checks_hold_at_the_same_time(service: Service) -> None:
    checks = [
        check for module in (test_http, test_websocket, test_compact) for check in checks_of(module)
    ]
    assert len(checks) >= 17
    ended = await asyncio.gather(*(check(service) for check in checks), return_exceptions=True)
    faults: list[Exception] = []
    for check, error in zip(checks, ended, strict=True):
        if error is not None:
            fault = error if isinstance(error, Exception) else RuntimeError(repr(error))
            fault.add_note(f"the check that failed: {check.__name__}")
            faults.append(fault)
    if faults:
        raise ExceptionGroup("checks that fail beside others", faults)

"""What tests of several packages share; as a pytest plugin, the servers that they run against."""

import gc
from collections.abc import Generator

import pytest
from hypothesis import settings

from turnwire_testing import shards
from turnwire_testing.servers import mongodb_server, nats_server

# Two busy cores make any deadline a lie.
settings.register_profile("turnwire", deadline=None, max_examples=50)
settings.load_profile("turnwire")

_GARBAGE_THRESHOLDS = (20_000, 10, 20)
"""Passes over garbage are rarer than Python's own: most of what a test leaves is freed without."""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without looking for garbage, and leave what was collected out of later passes.

    Thousands of tests stay until the end. Python would visit them all again and again, which was a
    sixth of the CPU of the collection and of many tests.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(*_GARBAGE_THRESHOLDS)
        gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item], config: pytest.Config) -> None:
    """Say which tests stay together, to workers of pytest-xdist."""
    if hasattr(config, "workerinput"):
        shards.share_out(items)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Give how many workers `-n auto` and `-n logical` mean."""
    return shards.workers(config.option.numprocesses)


@pytest.fixture(scope="session")
def nats_url(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """The URL of a broker with JetStream that all tests of the session share."""
    with nats_server(tmp_path_factory.mktemp("nats")) as url:
        yield url


@pytest.fixture(scope="session")
def mongodb_url(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """The URL of a database server that all tests of the session share."""
    with mongodb_server(tmp_path_factory.mktemp("mongodb")) as url:
        yield url

"""What tests of several packages share; as a pytest plugin, the servers that they run against."""

from collections.abc import Generator

import pytest
from hypothesis import settings

from turnwire_testing.servers import mongodb_server, nats_server

# Two busy cores make any deadline a lie.
settings.register_profile("turnwire", deadline=None, max_examples=50)
settings.load_profile("turnwire")


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

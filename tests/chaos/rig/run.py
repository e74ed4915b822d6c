"""What the long forms share: progress in lines, a folder for the run, the rig's own silence."""

import logging
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import structlog


def say(*lines: object) -> None:
    """Print lines of progress and figures at once."""
    for line in lines:
        print(line, flush=True)  # noqa: T201 -- progress, and the figures


@contextmanager
def run_folder(keep: Path | None) -> Generator[Path]:
    """Give the folder of a run, which is removed behind it unless it is to be kept."""
    # The rig's own connection to a broker that is killed is no news.
    quiet = structlog.make_filtering_bound_logger(logging.CRITICAL)
    structlog.configure(wrapper_class=quiet)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) if keep is None else keep
        folder.mkdir(parents=True, exist_ok=True)
        yield folder

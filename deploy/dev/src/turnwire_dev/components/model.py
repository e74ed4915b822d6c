"""The model: a small real one in a process of its own, when no backend is given."""

import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from turnwire_dev.components import installed
from turnwire_dev.components.secrets_of import without_settings
from turnwire_dev.instance.folder import DataFolder
from turnwire_dev.instance.ports import LOOPBACK, choose
from turnwire_dev.supervision.probe import answers_200
from turnwire_dev.supervision.process import ChildSpec, StopOrder
from turnwire_dev.supervision.supervisor import running

NAME = "model"
MODEL_ID = "smollm2"


def model_url(port: int) -> str:
    """The backend URL of the model server on that port."""
    return f"http://{LOOPBACK}:{port}/v1"


def model_child(folder: DataFolder, port: int) -> ChildSpec:
    """How to start it. Raises PartMissingError."""
    weights = installed.model_weights()
    # The server listens while it still loads, and says 503 until it is done.
    health = f"http://{LOOPBACK}:{port}/health"
    program = (sys.executable, "-m", "turnwire_dev.model_server")
    return ChildSpec(
        name=NAME,
        argv=(*program, "--port", str(port), "--weights", str(weights), "--alias", MODEL_ID),
        environment=without_settings(os.environ),
        is_ready=answers_200(health),
        log=folder.log(NAME),
        stop_order=StopOrder.SERVICE,
        port=port,
        health=health,
    )


@asynccontextmanager
async def running_model(data_dir: Path) -> AsyncGenerator[str]:
    """A model server of its own; yields its backend URL, ending in /v1. For tests."""
    folder = DataFolder(data_dir)
    folder.prepare()
    port = choose((NAME,), data_dir, taken=0)[NAME]
    async with running(model_child(folder, port)):
        yield model_url(port)

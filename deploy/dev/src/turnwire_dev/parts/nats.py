"""The broker: a real nats-server with JetStream on the loopback address."""

import json
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from turnwire_chassis.broker_access.server_config import authorization
from turnwire_dev.claims.folder import DataFolder
from turnwire_dev.claims.ports import LOOPBACK, choose
from turnwire_dev.parts import installed
from turnwire_dev.parts.nats_security import OPEN, NatsSecurity
from turnwire_dev.parts.secrets_of import without_settings
from turnwire_dev.supervision.probe import answers_200
from turnwire_dev.supervision.process import ChildSpec, Layer
from turnwire_dev.supervision.supervisor import running

NAME = "nats"

_KEY_VARIABLE = "TURNWIRE_LOG_KEY"

# sync_interval always: an acknowledged event is on the disk, as this node has no replica to ask.
# default_max_consumers: the broker's own limit of 1,000 a stream cannot be lifted by the stream.
# The monitoring port has no authentication, so it listens on the loopback address.
_CONFIGURATION = """\
# Written by `turnwire up` at every start.
server_name: turnwire
listen: "{host}:{port}"
http: "{host}:{monitor_port}"
max_payload: 8MB
jetstream {{
  store_dir: {store_dir}
  sync_interval: always
  limits {{ default_max_consumers: 10000 }}{encryption}
}}
{authorization}"""

# Read from the environment, so that the key stands in no file but its own.
_ENCRYPTION = f"""
  cipher: chachapoly
  key: ${_KEY_VARIABLE}"""


def nats_url(port: int) -> str:
    """Where services find the broker that listens on that port."""
    return f"nats://{LOOPBACK}:{port}"


def nats_child(
    folder: DataFolder, port: int, monitor_port: int, security: NatsSecurity
) -> ChildSpec:
    """Write the configuration and say how to start it. Raises PartMissingError, OSError."""
    binary = installed.nats_server()
    configuration = folder.path / "nats.conf"
    # A JSON string is a valid quoted string there, whatever characters the path has.
    text = _CONFIGURATION.format(
        host=LOOPBACK,
        port=port,
        monitor_port=monitor_port,
        store_dir=json.dumps(str(folder.nats), ensure_ascii=False),
        encryption=_ENCRYPTION if security.log_key else "",
        authorization=authorization(security.public_keys) if security.public_keys else "",
    )
    configuration.write_text(text, encoding="utf-8")
    health = f"http://{LOOPBACK}:{monitor_port}/healthz"
    return ChildSpec(
        name=NAME,
        argv=(str(binary), "--config", str(configuration)),
        environment=_environment(security),
        is_ready=answers_200(health),
        log=folder.log(NAME),
        layer=Layer.GROUND,
        port=port,
        health=health,
    )


def _environment(security: NatsSecurity) -> Mapping[str, str]:
    others = without_settings(os.environ)
    if security.log_key is None:
        return others
    # What stands in a variable is read like a value in the file.
    return {**others, _KEY_VARIABLE: json.dumps(security.log_key)}


@asynccontextmanager
async def running_nats(data_dir: Path, security: NatsSecurity = OPEN) -> AsyncGenerator[str]:
    """A broker of its own that keeps its data in `data_dir`; yields its URL. For tests."""
    folder = DataFolder(data_dir)
    folder.prepare()
    ports = choose((NAME, "monitor"), data_dir, taken=0)
    async with running(nats_child(folder, ports[NAME], ports["monitor"], security)):
        yield nats_url(ports[NAME])

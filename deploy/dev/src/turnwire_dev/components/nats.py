"""The broker: a real nats-server with JetStream on the loopback address."""

import json
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from turnwire_chassis.broker_authorization.server_config import authorization
from turnwire_dev.components import installed
from turnwire_dev.components.nats_security import OPEN, NatsSecurity
from turnwire_dev.components.secrets_of import without_settings
from turnwire_dev.instance.folder import DataFolder
from turnwire_dev.instance.ports import LOOPBACK, choose
from turnwire_dev.supervision.probe import answers_200
from turnwire_dev.supervision.process import ChildSpec, StopOrder
from turnwire_dev.supervision.supervisor import running

NAME = "nats"

_KEY_VARIABLE = "TURNWIRE_LOG_KEY"

MEMORY_LIMIT = "224MiB"
"""What Go's garbage collector keeps the broker below (GOMEMLIMIT), unless the operator says it.

Frames take up to 110 MiB of it, each turn that is kept 0.6 KB: measured up to 64 MiB of frames of
300 bytes. It is no hard limit: what must be kept is kept, and then costs more CPU.
"""

# max_file_store: the broker's own is three quarters of what is free when it starts, whatever room
# there is later, and with less than its size a stream (DEAD) could not be made at all. What the
# disk has is watched by who appends (turnwire_chassis.storage_space).
# max_memory_store: its own is three quarters of GOMEMLIMIT, less than a stream may be told to keep.
# sync_interval always: an acknowledged event is on the disk, as this node has no replica to ask.
# default_max_consumers: the broker's own limit of 1,000 a stream cannot be lifted by the stream.
# ping: a client that the network has lost is left out of its queue groups within six seconds;
# with the broker's own two minutes, questions would go to it for as long.
# The monitoring port has no authentication, so it listens on the loopback address.
_CONFIGURATION = """\
# Written by `turnwire up` at every start.
server_name: turnwire
listen: "{host}:{port}"
http: "{host}:{monitor_port}"
max_payload: 8MB
ping_interval: "2s"
ping_max: 2
jetstream {{
  store_dir: {store_dir}
  sync_interval: always
  max_file_store: 1PB
  max_memory_store: 1PB
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
        stop_order=StopOrder.INFRASTRUCTURE,
        port=port,
        health=health,
    )


def _environment(security: NatsSecurity) -> Mapping[str, str]:
    others = {"GOMEMLIMIT": MEMORY_LIMIT, **without_settings(os.environ)}
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

"""What a stack keeps: bytes in the log's streams, in documents, and on the disk."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from pymongo import MongoClient

from bench.stack import Stack

_NOT_OURS = {"admin", "config", "local"}
_BLOCK = 512
"""What `st_blocks` counts in, whatever the file system's own block is."""


@dataclass(frozen=True, slots=True)
class Stored:
    """Bytes kept: by JetStream stream, in documents without indexes, and as files."""

    streams: Mapping[str, int] = field(default_factory=dict[str, int])
    documents: int = 0
    disk: int = 0

    def since(self, before: "Stored") -> "Stored":
        """Subtract an earlier reading."""
        streams = {name: size - before.streams.get(name, 0) for name, size in self.streams.items()}
        return Stored(streams, self.documents - before.documents, self.disk - before.disk)

    @property
    def durable(self) -> int:
        """The log and the views: what grows for ever; streams in memory age out."""
        return sum(self.streams.values()) + self.documents


async def stored_by(stack: Stack) -> Stored:
    """Read what a stack keeps now; nothing for one without a log."""
    if not stack.monitor_url:
        return Stored()
    documents = await asyncio.to_thread(_document_bytes, stack.mongodb_url)
    disk = await asyncio.to_thread(_disk_bytes, stack.data_dir)
    return Stored(await _stream_bytes(stack.monitor_url), documents, disk)


async def _stream_bytes(monitor_url: str) -> dict[str, int]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{monitor_url}/jsz?streams=1&config=1") as response,
    ):
        told: dict[str, Any] = await response.json()
    streams = [
        stream for account in told.get("account_details", []) for stream in account["stream_detail"]
    ]
    return {
        stream["name"]: stream["state"]["bytes"]
        for stream in streams
        if stream["config"]["storage"] == "file"
    }


def _document_bytes(mongodb_url: str) -> int:
    with MongoClient[dict[str, Any]](mongodb_url) as client:
        names = [name for name in client.list_database_names() if name not in _NOT_OURS]
        return sum(int(client[name].command("dbStats")["dataSize"]) for name in names)


def _disk_bytes(data_dir: Path) -> int:
    return sum(path.stat().st_blocks * _BLOCK for path in data_dir.rglob("*") if path.is_file())

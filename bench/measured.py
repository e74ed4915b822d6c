"""The newest figures as numbers: what `--record` writes and the capacity model reads."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from bench.report import machine

_FILE = Path(__file__).with_name("measured.json")

PerProcess = Mapping[str, float]


def keep(name: str, figures: Mapping[str, Any]) -> None:
    """Replace the figures of one program; those of the others stay."""
    kept = _read()
    when = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    kept[name] = {"when": when, "machine": machine(), **figures}
    options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS
    _FILE.write_bytes(orjson.dumps(kept, option=options) + b"\n")


def newest(name: str) -> dict[str, Any]:
    """Give the figures of one program as they were last recorded. Raises `KeyError`."""
    return _read()[name]


def _read() -> dict[str, Any]:
    return orjson.loads(_FILE.read_bytes()) if _FILE.exists() else {}

"""The table in the chart's `README.md`: its values, from the schema and values.yaml.

The prose around it is kept as it is.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from marked_part import with_part
from source import Row, code, table

from chart_values.schema import schema
from chart_values.shapes import JSON
from turnwire_contracts.json_values import mapping

_CHART = Path(__file__).parents[2] / "deploy" / "k8s" / "turnwire"


def chart_page() -> str:
    """Write the whole page."""
    defaults = yaml.safe_load((_CHART / "values.yaml").read_text(encoding="utf-8"))
    rows = list(_rows("", schema(), defaults))
    head = ("value", "type", "default", "what it is")
    values = table(head, rows)
    return with_part(_CHART / "README.md", "values.schema.json and values.yaml", values)


def _rows(path: str, about: JSON, default: Any) -> Iterator[Row]:
    for name, each in about["properties"].items():
        place = f"{path}.{name}" if path else name
        own = mapping(default).get(name)
        if each.get("properties"):
            yield (code(place), "", "", each["description"])
            yield from _rows(place, each, own or {})
        else:
            yield (code(place), _kind(each), _shown(own), each["description"])


def _kind(about: JSON) -> str:
    if "enum" in about:
        return ", ".join(about["enum"])
    kinds: str | list[str] = about["type"]
    return kinds if isinstance(kinds, str) else " or ".join(kinds)


def _shown(default: Any) -> str:
    return "" if default in (None, "", {}, []) else code(json.dumps(default, ensure_ascii=False))

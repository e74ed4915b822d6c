"""Schemas in HTML: a shape's type in a few words, and its fields as a table."""

from html import escape
from typing import Any

from turnwire_contracts.json_values import JSON, mapping, objects
from turnwire_gateway.openapi.page.markup import anchored, code, inline, paragraphs, table

_LIMITS = {
    "minimum": "≥ {}",
    "maximum": "≤ {}",
    "minLength": "length ≥ {}",
    "maxLength": "length ≤ {}",
    "minItems": "≥ {} of them",
    "maxItems": "≤ {} of them",
    "maxProperties": "≤ {} pairs",
}


def kind_of(schema: JSON) -> str:
    """Write what a value may be: `text or list of Item`, with links to shapes."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return anchored(f"schema-{name}", escape(name))
    choices = objects(schema.get("anyOf") or schema.get("oneOf"))
    if choices:
        return " or ".join(dict.fromkeys(kind_of(choice) for choice in choices))
    if "enum" in schema or "const" in schema:
        values: list[Any] = schema.get("enum", [schema.get("const")])
        return " | ".join(code(str(value)) for value in values)
    kinds: str | list[str] = schema.get("type", "anything")
    return " or ".join(
        _plain(kind, schema) for kind in ([kinds] if isinstance(kinds, str) else kinds)
    )


def _plain(kind: str, schema: JSON) -> str:
    limits = [words.format(schema[name]) for name, words in _LIMITS.items() if name in schema]
    bounds = f" ({', '.join(limits)})" if limits else ""
    if kind == "array":
        return f"list of {kind_of(mapping(schema.get('items')))}{bounds}"
    members = mapping(schema.get("additionalProperties"))
    if kind == "object" and members:
        return f"map to {kind_of(members)}{bounds}"
    return escape(kind) + bounds


def shape(name: str, schema: JSON) -> str:
    """Write one named schema."""
    properties: dict[str, JSON] = schema.get("properties", {})
    required = schema.get("required", [])
    rows = [
        (
            code(field) + ("" if field in required else " <small>optional</small>"),
            kind_of(said),
            inline(str(said.get("description", ""))),
        )
        for field, said in properties.items()
    ]
    either = "" if properties else f"<p>{kind_of(schema)}</p>"
    return (
        f'<section id="schema-{escape(name)}"><h3>{escape(name)}</h3>'
        + paragraphs(str(schema.get("description", "")))
        + either
        + table(("field", "type", ""), rows)
        + "</section>"
    )

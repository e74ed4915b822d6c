"""Whether a tool's parameters are described so that any backend can take them. No I/O.

Not all of JSON Schema is checked, but what a backend reads before it samples: one schema that it
cannot read would fail the whole request, with all other tools in it.
"""

from typing import Any, cast

_TYPES = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})
_DEEPEST = 64

_SCHEMAS_BY_NAME = frozenset(
    {"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"}
)
_LISTS_OF_SCHEMAS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_SCHEMAS = frozenset(
    {
        "additionalProperties", "contains", "else", "if", "not", "propertyNames", "then",
        "unevaluatedItems", "unevaluatedProperties",
    }
)  # fmt: skip


def describes_parameters(schema: dict[str, Any]) -> bool:
    """Tell whether a schema is one of an object."""
    return schema.get("type", "object") == "object" and _is_schema(schema, _DEEPEST)


def _is_schema(value: object, deepest: int) -> bool:
    if isinstance(value, bool):
        return True
    if not isinstance(value, dict) or deepest == 0:
        return False
    members = cast("dict[str, object]", value)
    return all(_is_member(name, each, deepest - 1) for name, each in members.items())


def _is_member(name: str, value: object, deepest: int) -> bool:
    if name in _LISTS_OF_SCHEMAS:
        return _are_schemas(value, deepest)
    if name in _SCHEMAS_BY_NAME:
        named = cast("dict[str, object]", value) if isinstance(value, dict) else None
        return named is not None and all(_is_schema(each, deepest) for each in named.values())
    if name == "items":
        # A list of schemas until JSON Schema 2019-09, and one schema since.
        return _are_schemas(value, deepest) or _is_schema(value, deepest)
    if name in _SCHEMAS:
        return _is_schema(value, deepest)
    return _is_rule(name, value)


def _is_rule(name: str, value: object) -> bool:
    match name:
        case "type":
            return _is_type(value)
        case "required":
            return isinstance(value, list) and all(
                isinstance(each, str) for each in cast("list[object]", value)
            )
        case "enum":
            return isinstance(value, list)
        case _:
            return True


def _is_type(value: object) -> bool:
    types = cast("list[object]", value) if isinstance(value, list) else [value]
    return bool(types) and all(isinstance(each, str) and each in _TYPES for each in types)


def _are_schemas(value: object, deepest: int) -> bool:
    return isinstance(value, list) and all(
        _is_schema(each, deepest) for each in cast("list[object]", value)
    )

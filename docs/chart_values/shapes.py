"""The shapes that values have, as JSON schema: each is described."""

from typing import Any

JSON = dict[str, Any]

_NAME = "^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$"


def closed(description: str, **properties: JSON) -> JSON:
    """An object that has these properties and no others."""
    return {
        "type": "object",
        "description": description,
        "additionalProperties": False,
        "properties": properties,
    }


def text(description: str, **limits: Any) -> JSON:
    """A text."""
    return {"type": "string", **limits, "description": description}


def object_name(description: str) -> JSON:
    """The name of an object of Kubernetes, or nothing."""
    return text(description, pattern=_NAME)


def secret_key(description: str) -> JSON:
    """A key in a Secret."""
    key = text("The key in it.", minLength=1)
    return closed(description, name=object_name("Its name."), key=key)


def flag(description: str) -> JSON:
    """Yes or no."""
    return {"type": "boolean", "description": description}


def whole(description: str, least: int, most: int | None = None) -> JSON:
    """A whole number."""
    limits = {"minimum": least} | ({} if most is None else {"maximum": most})
    return {"type": "integer", **limits, "description": description}


def items(description: str, of: JSON) -> JSON:
    """A list."""
    return {"type": "array", "items": of, "description": description}


def labels(description: str) -> JSON:
    """Texts by name."""
    values = {"type": ["string", "boolean", "number"]}
    return {"type": "object", "additionalProperties": values, "description": description}

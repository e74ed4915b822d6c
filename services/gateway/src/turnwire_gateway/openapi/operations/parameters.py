"""Parameters that more than one operation takes."""

from collections.abc import Sequence

from turnwire_contracts.json_values import JSON


def in_path(name: str, what: str) -> JSON:
    """Describe an id in the path."""
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": what,
        "schema": {"type": "string", "minLength": 1},
    }


def in_query(name: str, schema: JSON, what: str) -> JSON:
    """Describe a parameter of the query; all are optional."""
    return {"name": name, "in": "query", "description": what, "schema": schema}


def flag(name: str, what: str) -> JSON:
    """Describe a parameter that is off unless it is said; a name without a value says nothing."""
    said = in_query(name, {"type": "boolean", "default": False}, what)
    return {**said, "allowEmptyValue": True}


def choice(name: str, values: Sequence[str], default: str, what: str) -> JSON:
    """Describe a parameter that is one of some words."""
    return in_query(name, {"enum": list(values), "default": default}, what)


APPLICATION = {"$ref": "#/components/parameters/x-application-id"}

RESPONSE_ID = in_path("response_id", "The id of a response, as `resp_…`.")
CONVERSATION_ID = in_path("conversation_id", "The id of a conversation, as `conv_…`.")
ITEM_ID = in_path("item_id", "The id of an item.")

INCLUDE = in_query(
    "include",
    {"type": "array", "items": {"type": "string"}},
    "Taken, without effect: all that is stored is shown.",
)
INCLUDE_DELETED = flag("include_deleted", "Show what is deleted, too. Admins only.")
HARD_DELETE = flag("hard_delete", "Delete for ever. Admins only.")
RECOVER: JSON = {
    **in_query("recovery_from_delete", {"enum": [True]}, "Bring it back. Admins only."),
    "required": True,
}
AFTER = in_query("after", {"type": "string"}, "The last id of the page before.")


def limit(most: int = 100) -> JSON:
    """Describe how many are wanted."""
    schema: JSON = {"type": "integer", "minimum": 1, "maximum": most, "default": 20}
    return in_query("limit", schema, "How many at most.")


def order(default: str) -> JSON:
    """Describe in which order they are wanted."""
    return choice("order", ("asc", "desc"), default, "By age: the oldest or the newest first.")

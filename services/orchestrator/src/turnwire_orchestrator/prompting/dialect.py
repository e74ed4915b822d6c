"""What is known of a backend: which API it speaks, and whose dialect."""

from enum import Enum
from typing import Any, Final

from turnwire_contracts.json_values import mapping, objects


class Api(Enum):
    """How a backend is asked."""

    RESPONSES = "responses"
    CHAT = "chat"


class Dialect(Enum):
    """Backends that need more, or take less, than their API says."""

    PLAIN = "plain"
    OPENAI = "openai"
    LLAMA_CPP = "llama.cpp"
    VLLM = "vllm"
    SGLANG = "sglang"
    OLLAMA = "ollama"
    LM_STUDIO = "lm studio"


_OWNERS: Final = {
    "llamacpp": Dialect.LLAMA_CPP,
    "vllm": Dialect.VLLM,
    "sglang": Dialect.SGLANG,
    "library": Dialect.OLLAMA,
    "organization_owner": Dialect.LM_STUDIO,
    "openai": Dialect.OPENAI,
    "openai-internal": Dialect.OPENAI,
    "system": Dialect.OPENAI,
}
"""What stands as `owned_by` in the list of models, and who says so."""


def dialect_of(models: Any) -> Dialect:
    """Recognise a backend by its `GET /models`."""
    owners = [str(model.get("owned_by")) for model in objects(mapping(models).get("data"))]
    return next((_OWNERS[owner] for owner in owners if owner in _OWNERS), Dialect.PLAIN)

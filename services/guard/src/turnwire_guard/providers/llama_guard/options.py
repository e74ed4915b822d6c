"""The `settings` of a stage with Llama Guard."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import urlsplit

from turnwire_chassis.yaml_place import YamlPlace
from turnwire_guard.providers.llama_guard.categories import CODES, Variant, variant_of

PromptMode = Literal["messages", "rendered"]

_PROMPT_MODES: Final[Mapping[str, PromptMode]] = {"messages": "messages", "rendered": "rendered"}
_VARIANTS: Final[Mapping[str, Variant]] = {variant: variant for variant in CODES}
_KEYS = (
    "base_url", "model", "variant", "api_key_env", "timeout_s", "prompt_mode", "exclude",
    "last_turns", "threshold", "max_concurrent",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Options:
    """Where the model is, and how it is asked."""

    base_url: str
    """The base of its API, which ends in /v1."""
    model: str
    variant: Variant
    api_key: str | None = field(default=None, repr=False)
    timeout_s: float = 5.0
    """For one check, waiting for a place included."""
    prompt_mode: PromptMode = "messages"
    exclude: frozenset[str] = frozenset()
    """Codes of categories that are allowed."""
    last_turns: int = 1
    """How many turns the model reads, the one that is judged included."""
    threshold: float | None = None
    """From which probability on content is unsafe; `None`: the model's own word counts."""
    max_concurrent: int = 16


def read_options(settings: YamlPlace, environ: Mapping[str, str] = os.environ) -> Options:
    """Read them; the key stands in the environment. Raises PlaceError."""
    fields = settings.fields(known=_KEYS, required=("base_url", "model"))
    model = fields["model"].text()
    variant = _VARIANTS[v.one_of(_VARIANTS)] if (v := fields.get("variant")) else variant_of(model)
    key, mode, exclude = (fields.get(name) for name in ("api_key_env", "prompt_mode", "exclude"))
    timeout, threshold = fields.get("timeout_s"), fields.get("threshold")
    turns, at_once = fields.get("last_turns"), fields.get("max_concurrent")
    return Options(
        base_url=_url(fields["base_url"]),
        model=model,
        variant=variant,
        api_key=_key(key, environ) if key else None,
        timeout_s=timeout.positive() if timeout else 5.0,
        prompt_mode=_PROMPT_MODES[mode.one_of(_PROMPT_MODES)] if mode else "messages",
        exclude=_codes(exclude, variant) if exclude else frozenset(),
        last_turns=turns.whole() if turns else 1,
        threshold=threshold.probability() if threshold else None,
        max_concurrent=at_once.whole() if at_once else 16,
    )


def _url(place: YamlPlace) -> str:
    url = place.text().rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise place.error("must be a URL like http://127.0.0.1:8000/v1")
    if parts.username is not None:
        raise place.error("must not hold credentials; name a variable with `api_key_env`")
    return url


def _key(place: YamlPlace, environ: Mapping[str, str]) -> str:
    name = place.text()
    if not environ.get(name):
        raise place.error(f"the environment variable {name} is not set")
    return environ[name]


def _codes(place: YamlPlace, variant: Variant) -> frozenset[str]:
    return frozenset(code.one_of(CODES[variant]) for code in place.items())

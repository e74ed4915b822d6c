"""What can judge content. A new provider is one file here and one line below."""

from collections.abc import Callable, Mapping

from turnwire_chassis.yaml_place import YamlPlace
from turnwire_guard.pipeline import Provider
from turnwire_guard.providers.llama_guard import provider as llama_guard
from turnwire_guard.providers.prompt_injection import provider as prompt_injection
from turnwire_guard.providers.regex import provider as regex

PROVIDERS: Mapping[str, Callable[[YamlPlace], Provider]] = {
    "regex": regex.build,
    "llama-guard-3": llama_guard.build,
    "prompt-injection": prompt_injection.build,
}
"""By the name a policy uses: makes a provider from a stage's `settings`; raises PlaceError."""

"""What can judge content. A new provider is one file here and one line below."""

from collections.abc import Callable, Mapping

from turnwire_chassis.yaml_place import Place
from turnwire_guard.pipeline import Provider
from turnwire_guard.providers import regex

PROVIDERS: Mapping[str, Callable[[Place], Provider]] = {
    "regex": regex.build,
}
"""By the name a policy uses: makes a provider from a stage's `settings`; raises PlaceError."""

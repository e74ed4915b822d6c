"""The policy: which pipeline judges which content of which application; read from text, no I/O."""

from collections.abc import Mapping
from dataclasses import dataclass

from turnwire_chassis.yaml_place import Place, read_yaml
from turnwire_guard.pipeline import OnError, Pipeline, Stage
from turnwire_guard.providers import PROVIDERS

CHECK_TYPES = ("input", "tool_output", "output")
_DEFAULT = "default"

_STAGE_KEYS = ("stage", "provider", "enabled", "on_error", "settings")
_STAGE_REQUIRED = ("stage", "provider", "settings")
_ON_ERROR: Mapping[str, OnError] = {"block": "block", "allow": "allow"}


@dataclass(frozen=True, slots=True)
class Policy:
    """Pipelines by application and check type."""

    applications: Mapping[str, Mapping[str, Pipeline]]

    def pipeline(self, application_id: str | None, check_type: str) -> Pipeline:
        """Find the pipeline of an application, or of `default` when the policy does not name it.

        An application that is named stands alone: what it does not list is not checked.
        """
        own = self.applications.get(application_id or _DEFAULT)
        if own is None:
            own = self.applications.get(_DEFAULT, {})
        return own.get(check_type, ())


NO_POLICY = Policy({})


def parse_policy(text: str, file: str) -> Policy:
    """Read a policy; `file` is only what complaints call it. Raises PlaceError."""
    top = read_yaml(text, file).fields(known=("policies",), required=("policies",))
    applications = top["policies"].entries()
    return Policy({name: _application(place) for name, place in applications.items()})


def _application(place: Place) -> Mapping[str, Pipeline]:
    pipelines = place.fields(known=CHECK_TYPES, required=())
    return {
        check_type: tuple(_stage(stage) for stage in pipeline.items())
        for check_type, pipeline in pipelines.items()
    }


def _stage(place: Place) -> Stage:
    fields = place.fields(known=_STAGE_KEYS, required=_STAGE_REQUIRED)
    name, provider_name = fields["stage"].text(), fields["provider"].one_of(PROVIDERS)
    enabled, on_error = fields.get("enabled"), fields.get("on_error")
    return Stage(
        name=name,
        provider_name=provider_name,
        provider=PROVIDERS[provider_name](fields["settings"]),
        enabled=enabled.flag() if enabled else True,
        on_error=_ON_ERROR[on_error.one_of(_ON_ERROR)] if on_error else "block",
    )

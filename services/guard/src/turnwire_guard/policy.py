"""The policy: which pipeline judges which content of which application; read from text, no I/O."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from turnwire_chassis.yaml_place import YamlPlace, read_yaml
from turnwire_contracts.events import OutputCheck
from turnwire_contracts.queries import CHECK_TYPES
from turnwire_guard.pipeline import OnError, Pipeline, Stage
from turnwire_guard.providers import PROVIDERS

_DEFAULT = "default"
_OUTPUT_CHECK = "output_check"

_STAGE_KEYS = ("stage", "provider", "enabled", "on_error", "settings")
_STAGE_REQUIRED = ("stage", "provider", "settings")
_ON_ERROR: Mapping[str, OnError] = {"block": "block", "allow": "allow"}
_OUTPUT_CHECKS: Mapping[str, OutputCheck] = {"held": "held", "at_end": "at_end"}
_SHOWN_OF_HASH = 12


@dataclass(frozen=True, slots=True)
class Application:
    """How the content of one application is judged."""

    pipelines: Mapping[str, Pipeline] = field(default_factory=dict[str, Pipeline])
    """By check type; what is not listed is not checked."""
    output_check: OutputCheck = "held"
    """How outputs are checked while they are streamed, where any stage checks outputs."""


@dataclass(frozen=True, slots=True)
class GuardPolicy:
    """What the policy file says."""

    applications: Mapping[str, Application]
    version: str = "none"
    """Tells policies apart: the same content has the same version on every guard."""

    def pipeline(self, application_id: str | None, check_type: str) -> Pipeline:
        """Find the pipeline of an application, or of `default` when the policy does not name it.

        An application that is named stands alone: what it does not list is not checked.
        """
        return self._application(application_id).pipelines.get(check_type, ())

    def output_check(self, application_id: str | None) -> OutputCheck:
        """Tell how an application's outputs are to be checked."""
        application = self._application(application_id)
        stages = application.pipelines.get("output", ())
        return application.output_check if any(s.enabled for s in stages) else "unchecked"

    def stages(self) -> Iterator[tuple[str, str, Stage]]:
        """Walk through all stages, each with its application and check type."""
        for name, application in self.applications.items():
            for check_type, pipeline in application.pipelines.items():
                for stage in pipeline:
                    yield name, check_type, stage

    def _application(self, application_id: str | None) -> Application:
        own = self.applications.get(application_id or _DEFAULT)
        return own or self.applications.get(_DEFAULT) or _UNCHECKED


_UNCHECKED = Application()
NO_POLICY = GuardPolicy({})


def parse_policy(text: str, file: str) -> GuardPolicy:
    """Read a policy; `file` is only what complaints call it. Raises PlaceError."""
    top = read_yaml(text, file).fields(known=("policies",), required=("policies",))
    applications = top["policies"].entries()
    return GuardPolicy(
        {name: _application(place) for name, place in applications.items()},
        hashlib.sha256(text.encode()).hexdigest()[:_SHOWN_OF_HASH],
    )


def _application(place: YamlPlace) -> Application:
    fields = place.fields(known=(*CHECK_TYPES, _OUTPUT_CHECK), required=())
    output_check = fields.pop(_OUTPUT_CHECK, None)
    return Application(
        {
            check_type: tuple(_stage(stage) for stage in pipeline.items())
            for check_type, pipeline in fields.items()
        },
        _OUTPUT_CHECKS[output_check.one_of(_OUTPUT_CHECKS)] if output_check else "held",
    )


def _stage(place: YamlPlace) -> Stage:
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

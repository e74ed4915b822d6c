"""What the tool-runner can be told."""

from turnwire_chassis.settings import ServiceSettings


class ToolRunnerSettings(ServiceSettings):
    """The settings of the tool-runner: so far those that every service has."""

"""Puts the weights of the small model into the wheel."""

import os
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

WEIGHTS = "TURNWIRE_DIST_WEIGHTS"


class WeightsHook(BuildHookInterface[Any]):
    """Takes the file that the variable names; without it nothing is built."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the weights, under the name that they have."""
        del version
        weights = Path(os.environ[WEIGHTS])
        build_data["force_include"][str(weights)] = f"turnwire_smollm2/{weights.name}"

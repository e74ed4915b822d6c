"""Runs the tool-runner: `python -m turnwire_tool_runner`."""

import gc

# There is no garbage in what is imported: a sixth of a start went into looking for it.
gc.disable()

from turnwire_chassis.run import run_service
from turnwire_tool_runner.app import SERVICE, serve
from turnwire_tool_runner.settings import ToolRunnerSettings

if __name__ == "__main__":
    run_service(SERVICE, ToolRunnerSettings, serve)

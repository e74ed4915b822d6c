"""What `turnwire` loads before it knows which command it is asked for."""

import subprocess
import sys

OF_SERVICES = ("mcp", "mcp_types", "pymongo", "fastapi", "sklearn", "turnwire_guard.policy")


def test_a_command_does_not_wait_for_what_only_doctor_needs() -> None:
    line = f"import sys, turnwire_dev.__main__; print({{*{OF_SERVICES!r}}} & {{*sys.modules}})"
    ran = subprocess.run((sys.executable, "-c", line), check=True, capture_output=True, text=True)
    assert ran.stdout == "set()\n"

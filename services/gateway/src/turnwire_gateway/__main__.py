"""`python -m turnwire_gateway`."""

import gc

# There is no garbage in what is imported: a sixth of a start went into looking for it.
gc.disable()

from turnwire_chassis.run import run_service
from turnwire_gateway.serving import serve
from turnwire_gateway.settings import GatewaySettings

if __name__ == "__main__":
    run_service("gateway", GatewaySettings, serve)

"""Prints the OpenAPI document: `python -m turnwire_gateway.openapi`."""

import json
import sys

from turnwire_gateway.openapi.document import document

if __name__ == "__main__":
    json.dump(document(), sys.stdout, indent=1)

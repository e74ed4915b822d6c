"""The `turnwire` command: runs all of Turnwire on one machine, without Docker."""

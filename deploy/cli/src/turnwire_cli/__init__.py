"""The `turnwire` command: a client of Turnwire first, which needs an address and a key."""

"""The shapes on the wire, as types; JSON Schema is written from them."""

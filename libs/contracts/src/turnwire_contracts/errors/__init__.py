"""The catalogue of errors: every code that a client can be told, and what is known of it."""

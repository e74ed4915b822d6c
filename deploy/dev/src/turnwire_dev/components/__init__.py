"""The components of a running Turnwire: how each is started, and how it shows that it is ready."""

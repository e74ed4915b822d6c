"""The HTTP face of Turnwire: validates requests, publishes turn events, streams frames."""

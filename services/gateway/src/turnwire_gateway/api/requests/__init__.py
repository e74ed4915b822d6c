"""From the bytes of a request to the event that starts a turn."""

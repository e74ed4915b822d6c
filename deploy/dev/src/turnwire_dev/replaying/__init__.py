"""One turn or conversation told from its events: where they come from, what they add up to."""

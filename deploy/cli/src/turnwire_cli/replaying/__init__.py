"""One turn or conversation told from its events, and files of events: written, read, folded."""

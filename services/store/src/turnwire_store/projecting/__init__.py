"""From the log to the views: what has happened to a turn becomes one document when it ends."""

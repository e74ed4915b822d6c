"""The decider: commands in, events out, and the step that comes next. Pure."""

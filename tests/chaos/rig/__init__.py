"""What starts the stack, lets clients work on it, hurts it, and gathers what was seen."""

"""A prompt in the words of chat completions. Pure."""

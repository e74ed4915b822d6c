"""The console: its files as the gateway serves them, and who has signed in."""

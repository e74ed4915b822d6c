"""Answers about turns: from memory, from the views, and from the log where those lag behind."""

"""From frames, answers and errors to bytes on the wire."""

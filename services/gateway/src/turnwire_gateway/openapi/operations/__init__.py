"""What one can ask of the API: every route, with what it takes and what it answers."""

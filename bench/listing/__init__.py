"""How long a page of a list of responses takes."""

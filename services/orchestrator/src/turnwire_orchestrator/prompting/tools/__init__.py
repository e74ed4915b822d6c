"""Tools of the client: what a backend is offered, and what the client calls the same."""

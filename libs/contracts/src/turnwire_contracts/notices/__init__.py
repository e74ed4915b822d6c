"""One-way messages between services: they have no answer, and no stream keeps them."""

"""Several inference servers as one: which serves a model, which is asked, how each fares."""
